"""Runs Debian's nginx and HAProxy on the configurations of deploy/proxies, each on a loopback address of its own.

What is replaced in a configuration are places only: addresses, files, and the time-outs of 60s.
"""

import os
import signal
import socket
import subprocess
import time

from debian_tools import ROOT, tool
from relay import DEADLINE

# 127.0.0.0/8 is all loopback: on an address that only this process uses, the ports of the files are free.
_SUBNET = "127.%d.%d" % (100 + os.getpid() // 256 % 100, os.getpid() % 256)
PLAIN, TLS, MUTUAL_TLS, WEBHOOKS = 50061, 50062, 50063, 8443


def _read(name):
    with open(os.path.join(ROOT, "deploy", "proxies", name), encoding="utf-8") as file:
        return file.read()


class Proxy:
    """One running proxy. `plain` and `mutual` are servers, the second with mutual TLS; `files` holds the certificate."""

    def __init__(self, kind, number, folder, plain, mutual, certificate, idle_timeout):
        self.kind = kind
        self.host = f"{_SUBNET}.{number}"
        self.folder = os.path.join(folder, kind)
        os.mkdir(self.folder)
        for name, text in (("crt", certificate[0]), ("key", certificate[1]), ("pem", certificate[0] + certificate[1])):
            with open(os.path.join(self.folder, f"proxy.{name}"), "w", encoding="utf-8") as file:
                file.write(text)
        replaced = {
            "127.0.0.1:50051": "%s:%d" % plain.address("grpc"),
            "127.0.0.1:50052": "%s:%d" % mutual.address("grpc"),
            "127.0.0.1:8080": "%s:%d" % plain.address("http"),
            **{f"127.0.0.1:{port}": f"{self.host}:{port}" for port in (PLAIN, TLS, MUTUAL_TLS, WEBHOOKS)},
            "/etc/refund-relay/": self.folder + "/",
            " 60s": f" {idle_timeout}s",
        }
        text = _read({"nginx": "nginx.conf", "haproxy": "haproxy.cfg"}[kind])
        if kind == "nginx":
            temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            replaced |= {
                "/usr/lib/nginx/modules/ngx_stream_module.so": self._stream_module(),
                "/run/nginx.pid": f"{self.folder}/pid",
                "/var/log/nginx/": self.folder + "/",
                "http {\n": "http {\n" + "".join(f"{name}_temp_path {self.folder}/{name};\n" for name in temporary),
            }
        for old, new in replaced.items():
            assert old in text, f"{old} is not in the configuration of {kind}"
            text = text.replace(old, new)
        self._config = os.path.join(self.folder, "config")
        with open(self._config, "w", encoding="utf-8") as file:
            file.write(text)
        self._process = None

    @staticmethod
    def _stream_module():
        installed = "/usr/lib/nginx/modules/ngx_stream_module.so"
        unpacked = os.path.join(ROOT, ".cache", "tools", "libnginx-mod-stream") + installed
        return unpacked if os.path.exists(unpacked) else installed

    def __enter__(self):
        # One process, so that a SIGSTOP stops all of it.
        command = {
            "nginx": [tool("nginx"), "-c", self._config, "-e", f"{self.folder}/error.log",
                      "-g", "daemon off; master_process off;"],
            "haproxy": [tool("haproxy"), "-db", "-f", self._config],
        }[self.kind]
        with open(os.path.join(self.folder, "output"), "w", encoding="utf-8") as output:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        end = time.monotonic() + DEADLINE
        while True:
            try:
                socket.create_connection((self.host, PLAIN), DEADLINE).close()
                return self
            except ConnectionRefusedError:
                assert self._process.poll() is None and time.monotonic() < end, self._output()

    def __exit__(self, *_):
        self.go_on()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(DEADLINE)

    def _output(self):
        with open(os.path.join(self.folder, "output"), encoding="utf-8") as file:
            return f"{self.kind} does not run: {file.read()}"

    def freeze(self):
        """It does nothing any more, and its sockets stay open: as a host that vanished from the network."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self._process.send_signal(signal.SIGCONT)
