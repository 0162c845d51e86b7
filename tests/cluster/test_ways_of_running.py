"""Every values file that can run on this cluster: installed in a restricted namespace, tested, a webhook in, the event out."""

import json
import re
import time
import unittest

import yaml

import cluster
import fixtures
from cluster import CHART, Namespace, Release, rendered, say, wait_for

# What stands in the way of running a file here though the cluster knows its kinds.
CANNOT_RUN = {"full-values.yaml": "it names an image by digest, a private registry, a runtime class and a priority class of somebody"}


class WaysOfRunningTest(unittest.TestCase):
    def test_every_file_that_can_run_here(self):
        ran = []
        kinds = cluster.known_kinds()
        for path in sorted((CHART / "ci").glob("*-values.yaml")):
            name = path.name.removesuffix("-values.yaml")
            objects = rendered(path, f"rr-{name}")
            unknown = sorted({doc["kind"] for doc in objects if (doc["apiVersion"], doc["kind"]) not in kinds})
            why = f"the cluster does not know {', '.join(unknown)}" if unknown else CANNOT_RUN.get(path.name)
            if why:
                say(f"  not run: {path.name}: {why}")
                continue
            with self.subTest(path.name), Namespace(f"rr-{name}") as namespace:
                started = time.monotonic()
                self.run_one(path, namespace, objects)
                ran.append(path.name)
                say(f"  ran: {path.name}, {time.monotonic() - started:.0f} s")
        self.assertIn("minimal-values.yaml", ran)

    def test_every_file_is_admitted_by_the_api_server(self):
        """Also those that cannot run: the server's own validation, with the rules that no JSON schema holds."""
        kinds = cluster.known_kinds()
        with Namespace("rr-admission") as namespace:
            for path in sorted((CHART / "ci").glob("*-values.yaml")):
                with self.subTest(path.name):
                    objects = [doc for doc in rendered(path, namespace.name) if (doc["apiVersion"], doc["kind"]) in kinds]
                    # A pod is admitted only where its account and its priority class are.
                    namespace.apply(*(doc for doc in objects if doc["kind"] == "ServiceAccount"))
                    if path.name in CANNOT_RUN:
                        objects = [doc for doc in objects if doc["kind"] != "Pod"]
                    namespace.kubectl("apply", "--dry-run=server", "--validate=strict", "--filename", "-", stdin=yaml.safe_dump_all(objects))

    def test_helm_3(self):
        with Namespace("rr-helm-3") as namespace:
            fixtures.put_fixtures(namespace)
            release = Release(namespace, helm_version="helm3")
            release.install(CHART / "ci" / "minimal-values.yaml")
            self.assertIn("says started", release.test())

    def test_a_certificate_without_its_authority(self):
        """As most Secrets of type kubernetes.io/tls are: helm test says what is missing, and takes it from elsewhere."""
        with Namespace("rr-authority") as namespace:
            fixtures.put_fixtures(namespace)
            secret = "refund-relay-server-tls"
            namespace.kubectl("patch", "secret", secret, "--type=json", "--patch", '[{"op": "remove", "path": "/data/ca.crt"}]')
            release, values = Release(namespace), CHART / "ci" / "tls-existing-secret-values.yaml"
            self.assertIn("tests.ca.existingSecret", release.install(values))
            with self.assertRaisesRegex(AssertionError, "cannot read /etc/refund-relay/ca/ca.crt"):
                release.test()
            release.install(values, upgrade=True, values={"tests.ca.existingSecret": "refund-relay-client-ca"})
            self.assertIn("says started", release.test())
            say("  helm test named the authority that a Secret lacks, and took it from another")

    def run_one(self, path, namespace, objects):
        fixtures.put_fixtures(namespace)
        fixtures.issue_like_cert_manager(namespace, objects)
        release = Release(namespace)
        values = {}
        if path.name == "service-account-tokens-values.yaml":  # the namespace is another one here
            values = {"accessPolicy.policy.subscribers.helm-test.service_accounts": [f"{namespace.name}/refund-relay"]}
        if path.name == "backup-values.yaml":
            values = {"backup.interval": "1s"}
        notes = release.install(path, values=values)
        self.assertIn("helm test refund-relay", notes)
        output = release.test()
        for words in ("a badly signed webhook is answered 401", "is SERVING", "GetLogInfo tells", "says started"):
            self.assertIn(words, output)
        before = 1 if path.name == "trial-values.yaml" else 0  # its helm test posts a sample, as it says
        self.assertEqual(before, len(release.history("before")), "helm test left an event behind, or did not where it should")
        answer = release.send()
        self.assertEqual((200, "accepted"), (answer["status"], answer["body"]["status"]))
        events = release.history("after")
        self.assertEqual(answer["body"]["event_id"], events[-1]["event"]["event_id"])
        self.assertEqual(before + 1, len(events))
        if path.name == "backup-values.yaml":
            self.wait_for_a_later_backup(release)
        if path.name == "existing-claim-values.yaml":
            claims = json.loads(namespace.kubectl("get", "persistentvolumeclaims", "--output", "json"))["items"]
            self.assertNotIn("data-refund-relay-0", [claim["metadata"]["name"] for claim in claims])

    @staticmethod
    def wait_for_a_later_backup(release):
        def seconds_of_the_newest():
            found = re.search(r"^refund_relay_backup_last_success_timestamp_seconds (\S+)$", release.metrics(), re.MULTILINE)
            return float(found[1]) if found else 0.0

        now = seconds_of_the_newest()
        wait_for("a backup after the event", lambda: seconds_of_the_newest() > now)


if __name__ == "__main__":
    unittest.main()
