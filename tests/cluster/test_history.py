"""The same history after the pod is deleted, after an upgrade from an earlier chart, after a failed upgrade and rollback,
after the release is uninstalled and installed again, under the same name or another."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import cluster
import fixtures
from cluster import CHART, ROOT, Namespace, Release, helm, say, wait_for

MINIMAL = CHART / "ci" / "minimal-values.yaml"
FOLDER = "deploy/helm/refund-relay"


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


def earlier_commit():
    """REFUND_RELAY_FROM, or the last commit whose chart is another one than today's."""
    if os.environ.get("REFUND_RELAY_FROM"):
        return os.environ["REFUND_RELAY_FROM"]
    for commit in git("log", "--format=%h", "--", FOLDER).decode().split():
        if git("diff", "--stat", commit, "--", FOLDER):
            return commit
    raise AssertionError("no earlier commit has another chart")


def chart_of(commit, folder):
    subprocess.run(["tar", "--extract", "--directory", folder], input=git("archive", commit, FOLDER), check=True)
    return pathlib.Path(folder) / FOLDER


class HistoryTest(unittest.TestCase):
    def test_history_survives(self):
        commit = earlier_commit()
        with Namespace("rr-history") as namespace, tempfile.TemporaryDirectory() as folder:
            fixtures.put_fixtures(namespace)
            release = Release(namespace)
            release.install(MINIMAL, chart=chart_of(commit, folder))
            for number in range(3):
                self.assertEqual(200, release.send(f"sender-{number}")["status"])
            history = release.history("first")
            self.assertEqual(["1", "2", "3"], [event["sequence"] for event in history])

            uid = release.pod()["metadata"]["uid"]
            namespace.kubectl("delete", "pod", "refund-relay-0", "--wait")
            wait_for("another pod", lambda: self.new_pod(namespace, uid))
            release.wait_ready()
            self.assertEqual(history, release.history("after-delete"))
            say("  the same history after the pod was deleted")

            uid = release.pod()["metadata"]["uid"]
            release.install(MINIMAL, upgrade=True, values={"podAnnotations": {"upgraded": "yes"}})
            self.assertNotEqual(uid, release.pod()["metadata"]["uid"])
            self.assertEqual(history, release.history("after-upgrade"))
            release.test()
            say(f"  the same history after helm upgrade from the chart of {commit}")

            helm("upgrade", release.name, CHART, "--namespace", namespace.name, "--reuse-values", "--set", "image.tag=no-such-version")
            wait_for("a pod that cannot start", lambda: "no-such-version" in namespace.kubectl(
                "get", "pods", "--output", "jsonpath={.items[*].status.containerStatuses[*].image}{.items[*].spec.containers[*].image}"))
            helm("rollback", release.name, "--namespace", namespace.name)
            wait_for("the old image", lambda: self.waits_for_nothing(namespace))
            release.wait_ready()
            self.assertEqual(history, release.history("after-rollback"))
            say("  the same history after an upgrade to an image that does not exist, and helm rollback")

            # As UPGRADING.md says for a larger claim; whether the disk grows is the storage class's affair.
            uid = release.pod()["metadata"]["uid"]
            namespace.kubectl("delete", "statefulset", release.name, "--cascade=orphan")
            helm("upgrade", release.name, CHART, "--namespace", namespace.name, "--reuse-values", "--set", "persistence.size=128Mi")
            release.wait_ready()
            self.assertEqual(uid, release.pod()["metadata"]["uid"])
            size = namespace.get("statefulset", release.name)["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"]
            self.assertEqual("128Mi", size)
            say("  the claim's template changed by way of --cascade=orphan; the pod stayed")

            helm("uninstall", release.name, "--namespace", namespace.name, "--wait")
            release.install(MINIMAL)
            self.assertEqual(history, release.history("after-uninstall"))
            self.assertEqual("4", str(release.send("last")["body"]["sequence"]))
            say("  the same history after helm uninstall and helm install")

    @staticmethod
    def new_pod(namespace, old_uid):
        found = namespace.kubectl("get", "pod", "refund-relay-0", "--ignore-not-found", "--output", "jsonpath={.metadata.uid}")
        return found and found != old_uid

    @staticmethod
    def waits_for_nothing(namespace):
        image = namespace.kubectl("get", "pod", "refund-relay-0", "--ignore-not-found", "--output", "jsonpath={.spec.containers[0].image}")
        return image == cluster.IMAGE


class RenamingTest(unittest.TestCase):
    def test_an_upgrade_that_renames_is_refused_and_changes_nothing(self):
        with Namespace("rr-renaming") as namespace:
            fixtures.put_fixtures(namespace)
            release = Release(namespace)
            release.install(MINIMAL)
            self.assertEqual(200, release.send()["status"])
            history = release.history("first")
            before = self.objects(namespace)
            for name in ("fullnameOverride=refunds", "nameOverride=refund"):
                with self.subTest(name):
                    done = helm("upgrade", release.name, CHART, "--namespace", namespace.name, "--reuse-values", "--set", name, check=False)
                    self.assertNotEqual(0, done.returncode)
                    for words in ("cannot rename a release", "--set fullnameOverride=refund-relay --set nameOverride=refund-relay",
                                  "--set persistence.existingClaim=data-refund-relay-0"):
                        self.assertIn(words, done.stderr)
                    self.assertEqual(before, self.objects(namespace))
            self.assertEqual(200, release.send("still-served")["status"])
            say("  an upgrade that renames the release was refused, and nothing was changed")

            # As the message says.
            helm("uninstall", release.name, "--namespace", namespace.name, "--wait")
            renamed = Release(namespace, fullname="refunds")
            renamed.install(MINIMAL, values={"fullnameOverride": "refunds", "persistence.existingClaim": "data-refund-relay-0"})
            self.assertEqual(history, renamed.history("renamed")[:1])
            say("  the same history under another name, from the claim of the old one")

    @staticmethod
    def objects(namespace):
        """Kind, name and specification of all that a rename would make or change."""
        found = json.loads(namespace.kubectl("get", "statefulsets,services,persistentvolumeclaims", "--output", "json"))["items"]
        return sorted((doc["kind"], doc["metadata"]["name"], json.dumps(doc["spec"], sort_keys=True)) for doc in found)


if __name__ == "__main__":
    unittest.main()
