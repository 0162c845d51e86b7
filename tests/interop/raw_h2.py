"""HTTP/2 by hand: what a library would refuse to send. Frames as of RFC 9113, header fields as of RFC 7541, literal."""

import socket

from relay import DEADLINE

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
CANCEL = 8


def frame(kind, flags=0, stream=0, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _text(text):
    if isinstance(text, str):
        text = text.encode()
    if len(text) < 127:
        return bytes([len(text)]) + text
    rest, length = len(text) - 127, bytearray([127])
    while rest >= 128:
        length.append(rest % 128 + 128)
        rest //= 128
    length.append(rest)
    return bytes(length) + text


def field(name, value):
    """A header field that no table remembers."""
    return b"\x00" + _text(name) + _text(value)


def call_headers(method, *more):
    """The header block of a gRPC call, such as `refundrelay.v1.RefundEventService/GetLogInfo`."""
    fields = ((":method", "POST"), (":scheme", "http"), (":path", "/" + method), (":authority", "test"),
              ("te", "trailers"), ("content-type", "application/grpc"), *more)
    return b"".join(field(name, value) for name, value in fields)


def message(encoded=b""):
    """A gRPC message, uncompressed."""
    return b"\x00" + len(encoded).to_bytes(4, "big") + encoded


def connect(address, timeout=DEADLINE):
    """A connection on which requests may be sent."""
    connection = socket.create_connection(address, timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(PREFACE + frame(SETTINGS))
    return connection


def read_exactly(connection, count):
    got = b""
    while len(got) < count:
        piece = connection.recv(count - len(got))
        if not piece:
            raise EOFError("the server closed the connection")
        got += piece
    return got


def read_frame(connection):
    """Returns (kind, flags, stream, payload)."""
    head = read_exactly(connection, 9)
    return head[3], head[4], int.from_bytes(head[5:9], "big") & 0x7FFFFFFF, read_exactly(
        connection, int.from_bytes(head[:3], "big")
    )
