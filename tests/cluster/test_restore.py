"""docs/operations.md on a real cluster: its commands for Kubernetes as they are written, and a log whose volume is lost,
restored by deploy/kubernetes/restore.yaml."""

import pathlib
import re
import tempfile
import unittest

import cluster
import fixtures
from cluster import CHART, ROOT, Namespace, Release, run, say, wait_for

MINIMAL = CHART / "ci" / "minimal-values.yaml"
MANIFEST = pathlib.Path("deploy") / "kubernetes" / "restore.yaml"
SIZE = "64Mi"
CLAIM = "data-refund-relay-0"
BACKUP_CLAIM = {
    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "refund-backups"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": SIZE}}},
}
WITH_BACKUPS = {"backup": {"interval": "6h", "volume": {"persistentVolumeClaim": {"claimName": "refund-backups"}}}}


def section(heading):
    """The text under a heading of the runbook, down to the next one."""
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ )", text, re.MULTILINE | re.DOTALL)
    return found


def block(heading):
    """The one `console` block under a heading."""
    (found,) = re.findall(r"^```console\n(.*?)^```$", section(heading), re.MULTILINE | re.DOTALL)
    return found


def replaced(text, *pairs):
    """`text` with each first word replaced by the second; a word that is not there is a mistake."""
    for old, new in pairs:
        if old not in text:
            raise AssertionError(f"{old} does not occur in:\n{text}")
        text = text.replace(old, new)
    return text


def shell(commands, namespace, folder=".", check=True):
    """Runs commands of the runbook, which are for the namespace `refunds`, in another one."""
    commands = re.sub(r"(--namespace |/namespaces/)refunds\b", rf"\g<1>{namespace.name}", commands)
    return run("bash", "-c", f"set -euo pipefail\ncd {folder}\n{commands}", check=check, deadline=3 * cluster.DEADLINE)


def what_happened(history):
    """Of a history what a restore keeps: all but the log_id, which stands in each position."""
    return [(event["sequence"], event["stored_at"], event["event"]) for event in history]


def ended(namespace, pod):
    return namespace.get("pod", pod)["status"]["phase"] in ("Succeeded", "Failed")


class RunbookTest(unittest.TestCase):
    def test_each_command_of_the_table_works_as_written(self):
        commands = re.findall(r"^\|.*\| `(kubectl .*)` \|$", section("On Kubernetes"), re.MULTILINE)
        self.assertGreater(len(commands), 8)
        with Namespace("rr-runbook") as namespace:
            fixtures.put_fixtures(namespace)
            Release(namespace).install(MINIMAL)
            for command in commands:
                with self.subTest(command):
                    done = shell(command, namespace, check=False)
                    if command.endswith("--previous"):  # there was no restart, which only a command that works can tell
                        self.assertIn('previous terminated container "refund-relay" in pod "refund-relay-0" not found', done.stderr)
                    else:
                        self.assertEqual(0, done.returncode, done.stderr)
                        self.assertTrue(done.stdout + done.stderr)
        say(f"  {len(commands)} commands of the runbook's table")

    def test_a_lost_volume_is_restored(self):
        with Namespace("rr-restore") as namespace, tempfile.TemporaryDirectory() as folder:
            fixtures.put_fixtures(namespace)
            namespace.apply(BACKUP_CLAIM)
            release = Release(namespace)
            release.install(MINIMAL, values=WITH_BACKUPS)
            for number in range(3):
                self.assertEqual(200, release.send(f"sender-{number}")["status"])
            history = release.history("before")
            shell(block("Backup on Kubernetes"), namespace)
            self.assertEqual("4", str(release.send("after-the-backup")["body"]["sequence"]))

            manifest = pathlib.Path(folder) / MANIFEST
            manifest.parent.mkdir(parents=True)
            manifest.write_text(replaced((ROOT / MANIFEST).read_text(encoding="utf-8"), ("localhost/refund-relay:dev", cluster.IMAGE),
                                         ("subPath: BACKUP", "subPath: before-upgrade.db"), ("storage: 10Gi", f"storage: {SIZE}")),
                                encoding="utf-8")
            self.refuses_a_claim_that_has_a_log(namespace, manifest)

            volume = namespace.get("pvc", CLAIM)["spec"]["volumeName"]
            self.addCleanup(cluster.kubectl, "patch", "persistentvolume", volume, "--patch",
                            '{"spec": {"persistentVolumeReclaimPolicy": "Delete"}}')
            said = shell(block("Restore on Kubernetes"), namespace, folder).stdout
            self.assertEqual("Released", wait_for("the old volume", lambda: self.released(volume)))
            self.assertNotEqual(volume, namespace.get("pvc", CLAIM)["spec"]["volumeName"])

            restored = release.history("restored")
            self.assertEqual(what_happened(history), what_happened(restored))
            old, new = (events[0]["position"].split(":")[0] for events in (history, restored))
            self.assertNotEqual(old, new)
            self.assertRegex(said, rf"restored_from\.log_id +{old}\n")

            release.install(MINIMAL, upgrade=True, values={**WITH_BACKUPS, "podAnnotations": {"upgraded": "yes"}})
            self.assertEqual("4", str(release.send("sent-again")["body"]["sequence"]))
            self.assertEqual(restored, release.history("after-upgrade")[:3])
        say("  the volume lost, the backup restored as the runbook says: the same events, another log_id, and helm upgrade goes on")

    def refuses_a_claim_that_has_a_log(self, namespace, manifest):
        namespace.kubectl("scale", "statefulset", "refund-relay", "--replicas=0")
        namespace.kubectl("wait", "--for=delete", "pod/refund-relay-0", f"--timeout={cluster.DEADLINE}s")
        namespace.kubectl("apply", "--filename", manifest)
        wait_for("the end of the restore", lambda: ended(namespace, "refund-relay-restore"))
        self.assertEqual("Failed", namespace.get("pod", "refund-relay-restore")["status"]["phase"])
        self.assertIn("/to/events.db", namespace.kubectl("logs", "refund-relay-restore"))
        namespace.kubectl("delete", "pod", "refund-relay-restore", "--wait")

    @staticmethod
    def released(volume):
        phase = cluster.kubectl("get", "persistentvolume", volume, "--output", "jsonpath={.status.phase}")
        return phase if phase != "Bound" else None


if __name__ == "__main__":
    unittest.main()
