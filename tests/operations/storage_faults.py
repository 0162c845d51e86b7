"""Faults of storage: each breaks a real server as it breaks in life, sees its alerts fire, mends it, and sees them clear."""

import concurrent.futures
import os
import struct
import subprocess
import threading
import time

import xxhash

import webhooks
from alert_fault import database, fault, large_webhook, locked, post
from prometheus import Prometheus
from relay import DEADLINE

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
