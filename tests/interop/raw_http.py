"""HTTP as bytes on a socket, for what no proper client would send, and for senders that should cost little."""

import webhooks


def webhook_request(body, *headers, signature=True, method="POST", target="/webhooks/refund", length=True):
    """The bytes of a request; `headers` are whole lines that are added."""
    lines = [f"{method} {target} HTTP/1.1", "Host: relay", "Content-Type: application/json;charset=utf-8"]
    if signature:
        lines.append(f"X-Conscent-Signature: {webhooks.signature(body)}")
    if length:
        lines.append(f"Content-Length: {len(body)}")
    lines.extend(headers)
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def read_answer(stream):
    """Reads one answer from a file of a socket; returns (status, headers in lower case, body)."""
    line = stream.readline()
    if not line:
        raise ConnectionError("the server closed without an answer")
    status = int(line.split()[1])
    headers = {}
    while (line := stream.readline().strip()) != b"":
        name, _, value = line.partition(b":")
        headers[name.decode("latin-1").lower()] = value.strip().decode("latin-1")
    if status == 100:
        return status, headers, b""
    return status, headers, stream.read(int(headers.get("content-length", "0")))
