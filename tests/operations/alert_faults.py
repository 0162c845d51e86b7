"""The faults: each breaks a real server as it breaks in life, sees its alerts fire, mends it, and sees them clear."""

import concurrent.futures
import contextlib
import os
import socket
import sqlite3
import struct
import subprocess
import tempfile
import threading
import time

import grpc
import xxhash
from refundrelay.v1 import admin_service_pb2 as admin
from refundrelay.v1 import refund_event_service_pb2 as service
from refundrelay.v1 import refund_event_service_pb2_grpc

import webhooks
from certificates import Authority, SecretVolume
from prometheus import Prometheus
from relay import DEADLINE, Relay
from stream import EARLIEST, LATEST, Stream, request, subscribe_error, subscription

LARGE = 60_000  # bytes that make a webhook large, below --max_body_bytes

FAULTS = []  # (name, function, alerts that may fire there)


def fault(*alerts):
    """Registers a function of how to make its server, and the site; only these alerts may fire there (no prefix)."""

    def register(function):
        FAULTS.append((function.__name__, function, {"RefundRelay" + alert for alert in alerts}))
        return function

    return register


def large_webhook(number):
    made = webhooks.webhook(number)
    made["payload"]["refund"]["note"] = "x" * LARGE
    return made


def post(relay, made):
    """Posts a webhook; returns the status alone, whichever."""
    body = webhooks.encode(made)
    return relay.post(body, webhooks.signed(body))[0]


def database(relay):
    """A connection to the log's file from outside, as no server should have to bear it."""
    return contextlib.closing(sqlite3.connect(f"{relay.data_dir}/events.db", isolation_level=None, timeout=DEADLINE))


@contextlib.contextmanager
def locked(relay):
    """Another process's write lock on the log: the server's commits wait."""
    with database(relay) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


def non_reader(relay, name, stack):
    """A subscriber that takes the first messages and then no more."""
    channel = grpc.insecure_channel(
        "%s:%d" % relay.address("grpc"),
        options=[("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65536)],
    )
    stack.callback(channel.close)
    stub = refund_event_service_pb2_grpc.RefundEventServiceStub(channel)
    stream = Stream(stub, request(subscriber_name=name, start_from=LATEST), timeout=20 * DEADLINE)
    stream.read_until("caught_up")
    stack.callback(stream.cancel)  # and so it lives until then
    return stream


def commit(relay, name, position=None):
    """Commits the end of the log, or another position, under a name."""
    stub = relay.events()
    position = position or stub.GetLogInfo(service.GetLogInfoRequest(), timeout=DEADLINE).last_position
    stub.CommitPosition(service.CommitPositionRequest(subscriber_name=name, position=position), timeout=DEADLINE)


# ---- the server ----


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


# ---- storage ----

# A file system of its own for the data folder, and a reader of orders that fills and empties it: "BYTES" or "0".
ON_TMPFS = """
mount -t tmpfs -o size="$2" refund-relay "$1" || exit 1
exec 3<&0 </dev/null
while read -r bytes <&3; do
  if [ "$bytes" = 0 ]; then rm -f "$1/ballast"; else head -c "$bytes" /dev/zero >>"$1/ballast"; fi
done 2>/dev/null &
shift 2
exec 3<&- "$@"
"""


@fault("DiskFilling", "DiskFullSoon", "StorageFailing", "WebhooksFailing", "WebhooksFailingSlowly", "SchemaDrift")
def full_disk(server, site):
    relay = server()
    os.mkdir(relay.data_dir, 0o700)
    unshare = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    relay.wrapper = [*unshare, "sh", "-c", ON_TMPFS, "sh", relay.data_dir, "32m"]
    relay.stdin = subprocess.PIPE
    with relay:
        orders = relay.process.stdin

        def fill(amount):
            orders.write(f"{amount}\n".encode())
            orders.flush()

        post(relay, webhooks.webhook(0))
        fill(30 << 20)
        relay.fires("RefundRelayDiskFilling", "RefundRelayDiskFullSoon")
        fill(32 << 20)
        number = 1
        while not relay.is_firing("RefundRelayWebhooksFailing") and number < 2000:
            post(relay, large_webhook(number))
            number += 1
        relay.fires("RefundRelayStorageFailing", "RefundRelayWebhooksFailing", "RefundRelayWebhooksFailingSlowly")
        fill(0)
        relay.clears("RefundRelayStorageFailing", "RefundRelayDiskFilling", "RefundRelayDiskFullSoon")
        Prometheus.wait_for("webhooks are taken again", lambda: post(relay, webhooks.webhook(0)) == 200)
        relay.clears("RefundRelayWebhooksFailing", "RefundRelayWebhooksFailingSlowly")
        orders.close()


@fault("CommitsSlow", "QueueFilling", "StorageFailing", "WebhooksFailing", "WebhooksFailingSlowly", "SchemaDrift")
def held_log(server, site):
    with server("--commit_timeout=100ms") as relay, concurrent.futures.ThreadPoolExecutor(64) as senders:
        with locked(relay):
            waiting = [senders.submit(post, relay, webhooks.webhook(number)) for number in range(4)]
            Prometheus.wait_for("all wait", lambda: relay.metric("refund_relay_append_queue_events") == len(waiting))
            threading.Event().wait(1.2)  # this is the fault: a commit that takes more than a second
        concurrent.futures.wait(waiting)
        relay.fires("RefundRelayCommitsSlow")
        relay.clears("RefundRelayCommitsSlow")
        with locked(relay):
            number = 4
            end = time.monotonic() + DEADLINE
            while not relay.is_firing("RefundRelayQueueFilling") and time.monotonic() < end:
                share = (relay.metric("refund_relay_append_queue_bytes")
                         / relay.metric("refund_relay_append_queue_limit_bytes"))
                if share < 0.8:
                    made = [large_webhook(number + i) for i in range(64)]
                    number += len(made)
                    concurrent.futures.wait([senders.submit(post, relay, webhook) for webhook in made])
        relay.fires("RefundRelayQueueFilling")
        relay.clears("RefundRelayQueueFilling")


@fault("BackupOld", "BackupFailing")
def backups(server, site):
    relay = server("--backup_interval=2s")
    folder = os.path.join(relay.folder, "backups")
    relay.flags.append(f"--backup_dir={folder}")
    with relay:
        Prometheus.wait_for("a first backup", lambda: relay.metric("refund_relay_backup_last_success_timestamp_seconds"))
        # Root may write to any folder, so the folder is one no more.
        os.rename(folder, folder + ".away")
        relay.write_file("backups", "in the way")
        relay.fires("RefundRelayBackupFailing", "RefundRelayBackupOld")
        os.remove(folder)
        os.rename(folder + ".away", folder)
        relay.clears("RefundRelayBackupOld", "RefundRelayBackupFailing")


def set_stored_at(relay, seconds_from_now):
    """As if the newest event had been stored then; the server is stopped."""
    with database(relay) as log:
        columns = "event_id, event_name, client_id, refund_id, payment_gateway_refund_id, event"
        sequence, *row = log.execute(
            f"SELECT sequence, {columns} FROM events ORDER BY sequence DESC LIMIT 1").fetchone()
        stored_at = int((time.time() + seconds_from_now) * 1e6)
        # As server/log/event_record.cc has it.
        checksum = xxhash.xxh3_64_intdigest(struct.pack("<QQ", sequence, stored_at))
        for column in row:
            checksum = xxhash.xxh3_64_intdigest(column, seed=checksum)
        log.execute("UPDATE events SET stored_at = ?, checksum = ? WHERE sequence = ?",
                    (stored_at, struct.unpack("<q", struct.pack("<Q", checksum))[0], sequence))


@fault("Silence", "RetentionPaused", "Down", "Restarting")
def clocks(server, site):
    with server() as relay:
        webhooks.send(relay, webhooks.webhook(0))
        relay.stop()
        set_stored_at(relay, -2 * 86400)
        relay.start()
        relay.fires("RefundRelaySilence")
        webhooks.send(relay, webhooks.webhook(1))
        relay.clears("RefundRelaySilence")
        relay.stop()
        set_stored_at(relay, 3600)
        relay.start()
        relay.fires("RefundRelayRetentionPaused")
        relay.stop()
        set_stored_at(relay, -1)
        relay.start()
        relay.clears("RefundRelayRetentionPaused")


# ---- webhooks ----


@fault("QuarantineNotEmpty", "QuarantineFilling", "SchemaDrift")
def quarantine(server, site):
    def discard_all(relay):
        kept = relay.admin().ListQuarantinedWebhooks(admin.ListQuarantinedWebhooksRequest(), timeout=DEADLINE).webhooks
        asked = admin.DiscardQuarantinedWebhooksRequest(quarantine_ids=[webhook.quarantine_id for webhook in kept])
        relay.admin().DiscardQuarantinedWebhooks(asked, timeout=DEADLINE)

    with server("--max_quarantined_webhooks=5") as relay:
        webhooks.send(relay, webhooks.webhook(0))
        relay.post(b"[0", webhooks.signed(b"[0"))
        relay.fires("RefundRelayQuarantineNotEmpty")
        for number in range(1, 5):
            body = b"[%d" % number
            relay.post(body, webhooks.signed(body))
        relay.fires("RefundRelayQuarantineFilling")
        discard_all(relay)
        relay.clears("RefundRelayQuarantineFilling", "RefundRelayQuarantineNotEmpty")
        webhooks.send(relay, webhooks.webhook(1, webhooks.BUNDLE))
        relay.fires("RefundRelaySchemaDrift")
        relay.clears("RefundRelaySchemaDrift")


@fault("EveryWebhookUnauthenticated", "UnauthenticatedSurge")
def wrong_secret(server, site):
    with server() as relay:
        body = webhooks.encode(webhooks.webhook(0))
        for _ in range(4):
            assert relay.post(body, webhooks.signed(body, "another secret"))[0] == 401
        relay.fires("RefundRelayEveryWebhookUnauthenticated")
        for _ in range(60):
            assert relay.post(body, webhooks.signed(body, "another secret"))[0] == 401
        relay.fires("RefundRelayUnauthenticatedSurge")
        webhooks.send(relay, webhooks.webhook(0))
        relay.clears("RefundRelayEveryWebhookUnauthenticated", "RefundRelayUnauthenticatedSurge")


# ---- subscribers ----


@fault("SubscriberLagging", "SchemaDrift")
def lagging(server, site):
    with server("--write_stall_timeout=1h", "--live_window_bytes=1048576") as relay, contextlib.ExitStack() as stack:
        stream = non_reader(relay, "behind", stack)
        count = 200
        for number in range(count):
            assert post(relay, large_webhook(number)) == 200
        relay.fires("RefundRelaySubscriberLagging")
        stream.read_events(count)
        # Heartbeats have to be taken, or it would lag again.
        reader = threading.Thread(target=read_on, args=(stream,), daemon=True)
        reader.start()
        relay.clears("RefundRelaySubscriberLagging")
        stream.cancel()
        reader.join(DEADLINE)


def read_on(stream):
    with contextlib.suppress(grpc.RpcError, StopIteration):
        while True:
            stream.read()


@fault("SubscriberAbsent")
def absent(server, site):
    with server() as relay:
        webhooks.send(relay, webhooks.webhook(0))
        commit(relay, "gone")
        relay.fires("RefundRelaySubscriberAbsent")
        with subscription(relay, subscriber_name="gone", start_from=EARLIEST) as stream:
            stream.read_until("caught_up")
            relay.clears("RefundRelaySubscriberAbsent")


@fault("SubscriberNearRetention", "EventsExpired", "SubscriberAbsent")
def overtaken(server, site):
    with server("--retention_age=12s") as relay:
        webhooks.send(relay, webhooks.webhook(0))
        commit(relay, "late")
        webhooks.send(relay, webhooks.webhook(1))
        relay.fires("RefundRelaySubscriberNearRetention")

        def is_deleted():
            return relay.metric('refund_relay_subscriber_expired_events_total{subscriber="late"}')

        number = 2
        end = time.monotonic() + DEADLINE
        while not is_deleted() and time.monotonic() < end:
            webhooks.send(relay, webhooks.webhook(number))
            number += 1
        relay.fires("RefundRelayEventsExpired")
        commit(relay, "late")
        relay.clears("RefundRelaySubscriberNearRetention", "RefundRelayEventsExpired")


@fault("SlowSubscribers", "SchemaDrift")
def not_reading(server, site):
    with server("--write_stall_timeout=1s") as relay, contextlib.ExitStack() as stack:
        for number in range(3):
            non_reader(relay, f"slow-{number}", stack)
        number = 0
        while relay.metric("refund_relay_slow_subscribers_total") < 3 and number < 1000:
            assert post(relay, large_webhook(number)) == 200
            number += 1
        relay.fires("RefundRelaySlowSubscribers")
        relay.clears("RefundRelaySlowSubscribers")


@fault("LossAudit", "Down")
def replaced_event(server, site):
    """An event is exchanged for a sound one of another client, in the log, behind the server's back: what a stream got
    and what the log holds differ, as they would after a loss."""
    count = 40
    with Relay() as donor:
        webhooks.send_many(donor, 1000, count, client_id="other")
        with database(donor) as log:
            donor_rows = log.execute("SELECT * FROM events ORDER BY sequence").fetchall()
    with server() as relay:
        wanted = service.EventFilter(client_ids=["ours"])
        with subscription(relay, subscriber_name="audited", start_from=EARLIEST, filter=wanted) as stream:
            for number in range(count):
                webhooks.send(relay, webhooks.webhook(number, client_id="ours"))
                stream.read_events(number + 1)
                with database(relay) as log:
                    log.execute("INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", donor_rows[number])
                if relay.metric("refund_relay_loss_audit_mismatch_events"):
                    break
            relay.fires("RefundRelayLossAudit")
        relay.kill()
        relay.start()
        relay.clears("RefundRelayLossAudit")
