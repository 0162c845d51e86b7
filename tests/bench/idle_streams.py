"""Measures the memory that open, idle streams cost the server, and prints the table of docs/performance.md.

usage: /usr/bin/python3 tests/bench/idle_streams.py FOLDER_OF_THE_BUILD [--streams N] [--rounds N]

The build is one of `./dev build`, which made the Python stubs, too. The subscribers run in a process of their own.
"""

import argparse
import os
import statistics
import sys

import provenance

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def measure(relay_class, fleet_class, metric, streams, streams_per_connection):
    """KiB of resident memory for each stream, connections included; every stream must then get an event."""
    import webhooks

    subscribers = [{"name": f"idle-{n}", "filter": {}, "begin": "now"} for n in range(streams)]
    with relay_class() as relay:
        webhooks.send(relay, webhooks.webhook(1))  # so that everything that is made at the first use is there

        def scrape(name):
            return metric(relay.admin_get("/metrics")[2], name)

        scrape("process_resident_memory_bytes")
        before = scrape("process_resident_memory_bytes")
        address = "%s:%d" % relay.address("grpc")
        with fleet_class(address, subscribers, 2, streams_per_connection) as fleet:
            fleet.wait_until_started()
            open_streams = scrape("refund_relay_subscriber_streams")
            if open_streams != streams:
                raise RuntimeError(f"{open_streams} streams are open, not {streams}")
            per_stream = (scrape("process_resident_memory_bytes") - before) / streams / 1024
            webhooks.send(relay, webhooks.webhook(2))
            received = fleet.finish()
        if any(len(events) != 2 for events in received.values()) or len(received) != streams:
            raise RuntimeError("a stream did not get its events")
    return per_stream


def main():
    parser = argparse.ArgumentParser(description="Memory of idle streams.")
    parser.add_argument("build")
    parser.add_argument("--streams", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    build = os.path.abspath(args.build)
    os.environ["REFUND_RELAY_BIN"] = os.path.join(build, "bin")
    stubs = os.path.join(build, "tests", "interop", "gen")
    os.environ["PYTHONPATH"] = stubs
    sys.path[:0] = [os.path.join(ROOT, "tests", "interop"), stubs]
    from fleet import Fleet
    from relay import Relay
    from test_admin_http import metric

    print(f"- machine: {provenance.machine()}; {provenance.load()}")
    print(f"- commit: {provenance.commit()}; build {os.path.basename(build)}; {args.streams} streams, {args.rounds} rounds\n")
    print("| streams on one connection | KiB for each stream, min | median | max |\n|---|---|---|---|")
    for streams_per_connection in (500, 25):
        found = [measure(Relay, Fleet, metric, args.streams, streams_per_connection) for _ in range(args.rounds)]
        print(
            f"| {streams_per_connection} | {min(found):.1f} | **{statistics.median(found):.1f}** | {max(found):.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
