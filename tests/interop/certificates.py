"""Folders of certificates that change as Kubernetes changes them, and `openssl s_client` against a door."""

import os
import subprocess
import threading

from relay import DEADLINE


class SecretVolume:
    """A folder like a Kubernetes secret volume: the files are links through `..data`, which is swapped as a whole."""

    def __init__(self, folder):
        self.folder = folder
        self._version = 0

    def put(self, **files):
        """Replaces all files at once; `tls_crt=...` becomes the file tls.crt. Returns their paths."""
        self._version += 1
        version = f"..version_{self._version}"
        os.mkdir(os.path.join(self.folder, version), 0o700)
        paths = []
        for key, text in files.items():
            name = key.replace("_", ".")
            with open(os.path.join(self.folder, version, name), "w", encoding="utf-8") as file:
                file.write(text)
            link = os.path.join(self.folder, name)
            if not os.path.islink(link):
                os.symlink(os.path.join("..data", name), link)
            paths.append(link)
        data = os.path.join(self.folder, "..data")
        os.symlink(version, data + ".new")
        os.replace(data + ".new", data)
        return paths


def nth_read(count):
    """For Relay.wait_for_line: the server has read certificates `count` times since its start."""
    seen = 0

    def predicate(record):
        nonlocal seen
        seen += record["message"] == "certificate read"
        return seen == count

    return predicate


def renegotiation_is_refused(address, *arguments, ca_file, after):
    """Asks by `openssl s_client` for a new handshake on an open connection, once the server has sent the bytes `after`:
    what it sends in the middle of one would be taken for the cause of its failure. Whether it says "no renegotiation";
    else the server has shown its certificate once more."""
    process = subprocess.Popen(
        ["openssl", "s_client", "-tls1_2", "-connect", "%s:%d" % address, "-CAfile", ca_file, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    printed = b""

    def first_seen(*words):
        """Which of the words comes first from now on; what was printed up to its end is done with."""
        nonlocal printed
        while not any(word in printed for word in words):
            piece = process.stdout.read1()
            assert piece, printed
            printed += piece
        first = min((word for word in words if word in printed), key=printed.index)
        printed = printed[printed.index(first) + len(first):]
        return first

    timer = threading.Timer(DEADLINE, process.kill)
    timer.start()
    try:
        first_seen(after)
        # A line with R alone asks s_client to renegotiate.
        process.stdin.write(b"R\n")
        process.stdin.flush()
        first_seen(b"RENEGOTIATING")
        return first_seen(b"no renegotiation", b"verify return:") == b"no renegotiation"
    finally:
        timer.cancel()
        process.kill()
        process.communicate()


def s_client(address, *arguments, ca_file):
    """Runs `openssl s_client` against (host, port); returns (whether the handshake came off, all that it printed)."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", "%s:%d" % address, "-CAfile", ca_file, *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE, errors="replace",
    )
    return done.returncode == 0, done.stdout + done.stderr
