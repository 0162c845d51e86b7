"""Faults of the server and its doors: each breaks a real server as it breaks in life, sees its alerts fire, mends it, and sees them clear."""

import contextlib
import os
import socket
import tempfile

from alert_fault import fault
from authority import Authority
from certificates import SecretVolume
from prometheus import Prometheus
from relay import DEADLINE
from stream import EARLIEST, request, subscribe_error, subscription


@fault("Down", "Restarting")
def killed(server, site):
    with server() as relay:
        relay.kill()
        relay.fires("RefundRelayDown")
        for _ in range(3):
            relay.start()
            before = relay.metric("process_start_time_seconds")
            Prometheus.wait_for("the restart is scraped", lambda: site.prometheus.query(
                f'process_start_time_seconds{{instance="{relay.instance}"}} == {before!r}'))
            relay.kill()
        relay.start()
        relay.fires("RefundRelayRestarting")
        relay.clears("RefundRelayDown", "RefundRelayRestarting")


@fault("NotReady", "Down")
def stuck_in_its_stop(server, site):
    with server("--drain_delay=10m") as relay:
        relay.signal_stop()
        relay.fires("RefundRelayNotReady")
        relay.kill()
        relay.start()
        relay.clears("RefundRelayNotReady")
        relay.kill()
        relay.flags.remove("--drain_delay=10m")
        relay.start()


@fault("CertificateExpiring", "CertificateExpiringNow", "ConfigNotReloaded")
def certificates(server, site):
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(folder)
        volume = SecretVolume(folder)

        def put(days):
            cert, key = authority.issue(days=days)
            return volume.put(tls_crt=cert, tls_key=key)

        cert_file, key_file = put(10)
        flags = [f"--grpc_tls_cert_file={cert_file}", f"--grpc_tls_key_file={key_file}"]
        with server(*flags) as relay:
            relay.fires("RefundRelayCertificateExpiring")
            if relay.is_firing("RefundRelayCertificateExpiringNow"):
                site.failed("RefundRelayCertificateExpiringNow fires ten days before")
            put(1)
            relay.fires("RefundRelayCertificateExpiringNow")
            put(90)
            relay.clears("RefundRelayCertificateExpiringNow", "RefundRelayCertificateExpiring")
            with open(os.path.join(relay.folder, "secrets"), encoding="utf-8") as file:
                good = file.read()
            relay.write_file("secrets", "")
            relay.fires("RefundRelayConfigNotReloaded")
            relay.write_file("secrets", good)
            relay.clears("RefundRelayConfigNotReloaded")


@fault("ConnectionsRefused")
def connections(server, site):
    with server("--max_http_connections=2") as relay, contextlib.ExitStack() as stack:
        def connect():
            return stack.enter_context(socket.create_connection(relay.address("http"), DEADLINE))

        held = [connect() for _ in range(2)]
        Prometheus.wait_for("both are counted", lambda: relay.metric("refund_relay_http_connections") == len(held))
        refused = connect()
        while refused.recv(4096):
            pass
        relay.fires("RefundRelayConnectionsRefused")
        relay.clears("RefundRelayConnectionsRefused")


@fault("ConnectionsRefused")
def streams(server, site):
    with server("--max_streams=1") as relay, subscription(relay, start_from=EARLIEST) as stream:
        stream.read_until("caught_up")
        error = subscribe_error(relay, request(start_from=EARLIEST))
        assert error.reason == "SUBSCRIBER_LIMIT", error.text
        relay.fires("RefundRelayConnectionsRefused")
        relay.clears("RefundRelayConnectionsRefused")


@fault("ConnectionsRefused")
def grpc_connections(server, site):
    with server("--max_grpc_connections=4") as relay, contextlib.ExitStack() as stack:
        def refused():
            stack.enter_context(socket.create_connection(relay.address("grpc"), DEADLINE))
            return relay.metric('refund_relay_grpc_connections_refused_total{reason="total"}') or relay.metric(
                'refund_relay_grpc_connections_refused_total{reason="peer"}')

        Prometheus.wait_for("one too many", refused)
        relay.fires("RefundRelayConnectionsRefused")
        relay.clears("RefundRelayConnectionsRefused")
