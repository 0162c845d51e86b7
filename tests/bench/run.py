"""Measures refund-relay against nginx and against the disk, and prints the tables of docs/performance.md.

usage: run.py FOLDER_OF_THE_BINARIES --nginx NGINX [--rounds N] [--seconds S] [--connections N] [--webhooks N]

Everything runs on loopback, in a temporary folder beside the binaries, and ends in bounded time.
"""

import argparse
import concurrent.futures
import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile

import cpu_profile
import provenance
from processes import Nginx, Relay, cpu_seconds

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FREE_BYTES_NEEDED = 8 << 30


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def output_of(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    return (done.stdout + done.stderr).strip()


def run_json(command, seconds):
    """Runs a bench binary; its JSON line. A failure ends the measurement: a wrong answer must not make a figure."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds,
                          check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def spread(values, digits):
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{low:.{digits}f} | **{middle:.{digits}f}** | {high:.{digits}f}"


class Bench:
    def __init__(self, args, folder):
        self.args = args
        self.folder = folder
        self.secret_file = os.path.join(folder, "secret")
        with open(self.secret_file, "w", encoding="utf-8") as file:
            file.write(secrets.token_hex(16) + "\n")

    def load(self, server, seconds):
        """One round of load; with `cpu_us`, the server's CPU per request in microseconds."""
        command = [
            os.path.join(self.args.bin, "webhook_load"), f"--address={server.address}",
            f"--secret-file={self.secret_file}", f"--seconds={seconds}", f"--connections={self.args.connections}",
        ]
        if isinstance(server, Nginx):
            command.append("--any-200")
        before = cpu_seconds(server.process.pid)
        result = run_json(command, seconds + 60)
        result["cpu_us"] = (cpu_seconds(server.process.pid) - before) / result["requests"] * 1e6
        return result

    def throughput(self, nginx, relay):
        pairs = []
        for server in (nginx, relay):  # first connections, first pages, first files
            self.load(server, min(2, self.args.seconds))
        for number in range(self.args.rounds):
            say(f"throughput, round {number + 1} of {self.args.rounds}")
            pairs.append((self.load(nginx, self.args.seconds), self.load(relay, self.args.seconds)))

        def row(name, unit, value, digits):
            print(f"| nginx: {name} | {unit} | {spread([value(n) for n, _ in pairs], digits)} |")
            print(f"| refund-relay: {name} | {unit} | {spread([value(r) for _, r in pairs], digits)} |")

        print(f"\n### Throughput, {self.args.connections} connections, "
              f"{self.args.rounds} pairs of rounds of {self.args.seconds:g} s\n")
        print("| | unit | min | median | max |\n|---|---|---|---|---|")
        ratios = [r["per_second"] / n["per_second"] for n, r in pairs]
        print(f"| **durable webhooks/s : nginx `return 200`/s** | ratio | {spread(ratios, 3)} |")
        print(f"| CPU per webhook : nginx's CPU per request | ratio "
              f"| {spread([r['cpu_us'] / n['cpu_us'] for n, r in pairs], 2)} |")
        row("requests", "1/s", lambda x: x["per_second"], 0)
        row("p50", "ms", lambda x: x["p50_ms"], 2)
        row("p99", "ms", lambda x: x["p99_ms"], 2)
        row("CPU of the server per request", "us", lambda x: x["cpu_us"], 1)
        row("the load generator's share of one core", "", lambda x: x["generator_cpu_seconds"] / x["seconds"], 2)

    def latency(self, relay):
        rounds = []
        for number in range(self.args.rounds):
            say(f"latency, round {number + 1} of {self.args.rounds}")
            rounds.append(run_json([
                os.path.join(self.args.bin, "webhook_latency"), f"--http-address={relay.address}",
                f"--grpc-address={relay.grpc_address}", f"--secret-file={self.secret_file}",
                f"--sync-file={self.folder}/sync-probe", f"--webhooks={self.args.webhooks}",
            ], 60 + self.args.webhooks))
        print(f"\n### Latency, {self.args.rounds} rounds of {self.args.webhooks} webhooks, one at a time\n")
        print("| | unit | min | median | max |\n|---|---|---|---|---|")
        for name in ("delivery", "answer"):
            ratios = [r[f"{name}_p50_ms"] / r["fdatasync_p50_ms"] for r in rounds]
            print(f"| **webhook to {name}, p50 : write + fdatasync, p50** | ratio | {spread(ratios, 2)} |")
        for name, title in (("fdatasync", "write of 4096 bytes + fdatasync"), ("answer", "webhook to answer"),
                            ("delivery", "webhook to delivery")):
            for percentile in ("p50", "p99"):
                print(f"| {title}, {percentile} | ms | {spread([r[f'{name}_{percentile}_ms'] for r in rounds], 3)} |")

    def profile(self, relay):
        seconds = self.args.seconds
        say("CPU profile")
        with concurrent.futures.ThreadPoolExecutor(1) as beside:
            recording = beside.submit(cpu_profile.record, relay.process.pid, seconds, self.folder)
            result = self.load(relay, seconds + 1)
            found = recording.result()
        print("\n### What costs the most CPU per webhook\n")
        if isinstance(found, str):
            print(f"Not measured: {found}")
            return
        print(f"{found.samples} samples of perf at 997 Hz of CPU time over {seconds:g} s of load; "
              f"{result['cpu_us']:.0f} us of CPU per webhook while being sampled.\n")
        for title, counter, rows in (("thread", found.threads(), 8), ("where", found.groups, 20),
                                     ("function in user space", found.functions, 12)):
            print(f"| {title} | share |\n|---|---|")
            for name, count in counter.most_common(rows):
                print(f"| `{name}` | {100 * count / found.samples:.1f} % |")
            print()


def describe_machine(args, folder):
    print(f"- machine: {provenance.machine()}; file system {output_of('stat', '-f', '-c', '%T', folder)}; {provenance.load()}")
    print(f"- commit: {provenance.commit()}; preset release; {output_of(args.nginx, '-v')}, {os.cpu_count()} workers")
    print(f"- command: `{' '.join(['./dev bench', *sys.argv[4:]])}`")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description="Measure, as docs/performance.md says.")
    parser.add_argument("bin")
    parser.add_argument("--nginx", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--webhooks", type=int, default=200, help="of a round of the latency measurement")
    args = parser.parse_args()
    args.bin = os.path.abspath(args.bin)
    if min(args.rounds, args.seconds, args.connections, args.webhooks) < 1:
        parser.error("each number is at least 1")
    if shutil.disk_usage(args.bin).free < FREE_BYTES_NEEDED:
        parser.error(f"less than {FREE_BYTES_NEEDED >> 30} GiB are free beside {args.bin}")

    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.path.dirname(args.bin)) as folder:
        describe_machine(args, folder)
        bench = Bench(args, folder)
        with Relay(os.path.join(args.bin, "refund-relay"), f"{folder}/relay", bench.secret_file) as relay:
            with Nginx(args.nginx, f"{folder}/nginx") as nginx:
                bench.throughput(nginx, relay)
            bench.latency(relay)
            bench.profile(relay)


if __name__ == "__main__":
    main()
