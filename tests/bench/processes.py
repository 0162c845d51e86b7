"""Starts and stops the two servers that are compared, and reads what CPU they use from /proc."""

import json
import os
import socket
import subprocess
import time

START_DEADLINE_S = 30


def cpu_seconds(pid):
    """User and system CPU of a process and its children that run, since their start."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
        return seconds + sum(cpu_seconds(int(child)) for child in file.read().split())


class Server:
    """A server process in a folder of its own. A context manager; `address` takes the load."""

    def __init__(self, folder):
        self.folder = folder
        self.address = None
        self.process = None
        os.makedirs(folder)
        self.log_path = os.path.join(folder, "stderr")

    def start(self, command, find_address):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("REFUND_RELAY_")}
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        end = time.monotonic() + START_DEADLINE_S
        while not find_address():
            if self.process.poll() is not None or time.monotonic() > end:
                with open(self.log_path, encoding="utf-8", errors="replace") as log:
                    raise RuntimeError(f"{command[0]} did not start:\n{log.read()[-2000:]}")
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Relay(Server):
    """refund-relay with its defaults, on free ports."""

    def __init__(self, binary, folder, secret_file):
        super().__init__(folder)
        self.grpc_address = None
        self.start([
            binary, "--http_address=127.0.0.1:0", "--grpc_address=127.0.0.1:0", "--admin_address=127.0.0.1:0",
            f"--data_dir={folder}/data", f"--webhook_secret_files={secret_file}", "--drain_delay=0s",
        ], self._find_address)

    def _find_address(self):
        with open(self.log_path, encoding="utf-8") as log:
            for line in log:
                record = json.loads(line) if line.endswith("\n") else {}
                if record.get("message") == "ready":
                    self.address = record["http_address"]
                    self.grpc_address = record["grpc_address"]
        return self.address is not None


class Nginx(Server):
    """nginx that answers 200 and does nothing else. As many workers as refund-relay has threads for HTTP."""

    def __init__(self, binary, folder):
        super().__init__(folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;" if os.getuid() == 0 else ""
        config = os.path.join(folder, "nginx.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"""
                daemon off; {user} pid {folder}/pid; worker_processes {os.cpu_count()}; error_log stderr warn;
                events {{ worker_connections 1024; }}
                http {{
                  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; {temporary}
                  server {{ listen 127.0.0.1:{port} reuseport; location / {{ return 200; }} }}
                }}""")
        self._port = port
        self.start([binary, "-p", folder, "-e", "stderr", "-c", config], self._find_address)

    def _find_address(self):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self._port)) != 0:
                return False
        self.address = f"127.0.0.1:{self._port}"
        return True
