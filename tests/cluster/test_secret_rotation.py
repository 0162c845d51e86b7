"""Secrets, certificates and the access policy, changed while the pod goes on: none of them restarts it."""

import re
import tempfile
import time
import unittest

import cluster
import fixtures
from authority import Authority
from cluster import CHART, Namespace, Release, say, wait_for

OLD, NEW = cluster.SECRET, "the next secret"
# The kubelet looks at mounted Secrets once a minute or so, and may be late.
REFRESH_DEADLINE = 300


class RotationTest(unittest.TestCase):
    def assert_same_pod(self, before, release):
        after = release.pod()
        self.assertEqual(before["metadata"]["uid"], after["metadata"]["uid"])
        self.assertEqual(0, after["status"]["containerStatuses"][0]["restartCount"])

    def test_webhook_secrets(self):
        with Namespace("rr-rotation") as namespace:
            fixtures.put_fixtures(namespace)
            # The senders' own copies, which stay as they are.
            namespace.put_secret("senders", old=OLD + "\n", new=NEW + "\n")
            release = Release(namespace)
            release.install(CHART / "ci" / "minimal-values.yaml")
            before = release.pod()
            self.try_until(release, "new", 401)

            namespace.put_secret("refund-relay-webhooks", more={"webhook-secret": f"{NEW}\n{OLD}\n"})
            seconds = [self.try_until(release, "new", 200)]
            self.try_until(release, "old", 200)
            namespace.put_secret("refund-relay-webhooks", more={"webhook-secret": NEW + "\n"})
            seconds.append(self.try_until(release, "old", 401))
            self.try_until(release, "new", 200)
            self.assert_same_pod(before, release)
            say("  webhook secrets rotated without a restart: both good, then the old one refused; in force after "
                + " and ".join(f"{one:.0f} s" for one in seconds))

    def try_until(self, release, secret, status):
        """Posts webhooks signed by one of the senders' secrets until one is answered `status`: the seconds that took."""
        started = time.monotonic()
        client = release.start_client(
            f"sender-{secret}", "http", "send", "--sample=pass", "--unique", f"--secret-file=/senders/{secret}",
            "--every=500ms", "--output=json", mounts={"senders": "/senders"})
        try:
            client.wait_line(f"an answer {status}", lambda line: line.get("status") == status, REFRESH_DEADLINE)
            return time.monotonic() - started
        finally:
            client.delete()

    def test_certificates_and_access_policy(self):
        with Namespace("rr-certificates") as namespace, tempfile.TemporaryDirectory() as folder:
            fixtures.put_fixtures(namespace)
            release = Release(namespace)
            values = CHART / "ci" / "mutual-tls-policy-values.yaml"
            release.install(values)
            before, expiry = release.pod(), self.expiry(release)

            # A subscriber that may see all events, until the policy says otherwise.
            subscriber = release.start_client("subscriber", "grpc", "tail", "--name=helm-test", "--from=earliest", "--output=json")
            subscriber.wait_line("a stream", lambda line: line["kind"] == "started")
            started = time.monotonic()
            helm_test = "accessPolicy.policy.subscribers.helm-test"
            cluster.helm("upgrade", release.name, CHART, "--namespace", namespace.name, "--reuse-values",
                         "--set-json", f'{helm_test}={{"certificates":["dns:somebody-else.internal"],"events":"all"}}')
            going = subscriber.wait_line("the end of its rights", lambda line: line["kind"] == "going_away", REFRESH_DEADLINE)
            self.assertIn("POLICY_CHANGED", going["text"])
            policy_seconds = time.monotonic() - started
            subscriber.delete()

            authority = Authority(folder)
            hosts = [f"refund-relay-grpc.{namespace.name}.svc"]
            certificate, key = authority.issue(f"DNS:{hosts[0]}", days=30)
            started = time.monotonic()
            namespace.put_secret("refund-relay-server-tls", kind="kubernetes.io/tls",
                                 more={"tls.crt": certificate, "tls.key": key, "ca.crt": authority.pem})
            wait_for("the new certificate", lambda: self.expiry(release) != expiry, REFRESH_DEADLINE)
            certificate_seconds = time.monotonic() - started
            self.assertLess(self.expiry(release), expiry)  # 30 days instead of 90
            self.assert_same_pod(before, release)
            say(f"  without a restart: a right taken away by helm upgrade, in force after {policy_seconds:.0f} s; "
                f"a new server certificate after {certificate_seconds:.0f} s")

    @staticmethod
    def expiry(release):
        series = r'^refund_relay_certificate_expiry_timestamp_seconds\{cert="grpc"\} (\S+)$'
        return float(re.search(series, release.metrics(), re.MULTILINE)[1])


if __name__ == "__main__":
    unittest.main()
