"""A certificate authority made on the fly by openssl; needs no server and no stubs."""

import os
import subprocess

OPENSSL_DEADLINE = 30


def _openssl(*arguments, stdin=None):
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, text=True, timeout=OPENSSL_DEADLINE)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Authority:
    """A certificate authority in `folder`. Each certificate comes as a pair of PEM texts: certificate, key."""

    def __init__(self, folder, name="authority"):
        self._folder = folder
        self._serial = 0
        self.key_file = os.path.join(folder, name + ".key")
        self.cert_file = os.path.join(folder, name + ".pem")
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.key_file)
        _openssl("req", "-x509", "-new", "-key", self.key_file, "-subj", f"/CN={name}", "-days", "3650",
                 "-out", self.cert_file)

    @property
    def pem(self):
        return _read(self.cert_file)

    def issue(self, names="DNS:localhost,IP:127.0.0.1", days=90, rsa=False):
        """A certificate for the subject alternative names. `days` may be negative: it has expired then."""
        self._serial += 1
        key_file, request, extensions = (os.path.join(self._folder, f"issued.{end}") for end in ("key", "csr", "ext"))
        if rsa:
            _openssl("genrsa", "-out", key_file, "2048")
        else:
            _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key_file)
        _openssl("req", "-new", "-key", key_file, "-subj", "/CN=nobody looks here", "-out", request)
        with open(extensions, "w", encoding="utf-8") as file:
            file.write(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
        cert = _openssl("x509", "-req", "-in", request, "-CA", self.cert_file, "-CAkey", self.key_file,
                        "-set_serial", str(self._serial), "-days", str(days), "-extfile", extensions)
        return cert, _read(key_file)
