"""Secrets rotated by changing the Secret: no restart, first both secrets are good, then only the new one."""

import unittest

import cluster
import fixtures
from cluster import CHART, Namespace, Release, say

OLD, NEW = cluster.SECRET, "the next secret"


class SecretRotationTest(unittest.TestCase):
    def test_changing_the_secret_is_enough(self):
        with Namespace("rr-rotation") as namespace:
            fixtures.put_fixtures(namespace)
            # The senders' own copies, which stay as they are.
            namespace.put_secret("senders", old=OLD + "\n", new=NEW + "\n")
            release = Release(namespace)
            release.install(CHART / "ci" / "minimal-values.yaml")
            before = release.pod()
            self.assertEqual(401, self.try_until(release, "new", 401))

            namespace.put_secret("refund-relay-webhooks", more={"webhook-secret": f"{NEW}\n{OLD}\n"})
            self.assertEqual(200, self.try_until(release, "new", 200))
            self.assertEqual(200, self.try_until(release, "old", 200))
            namespace.put_secret("refund-relay-webhooks", more={"webhook-secret": NEW + "\n"})
            self.assertEqual(401, self.try_until(release, "old", 401))
            self.assertEqual(200, self.try_until(release, "new", 200))

            after = release.pod()
            self.assertEqual(before["metadata"]["uid"], after["metadata"]["uid"])
            self.assertEqual(0, after["status"]["containerStatuses"][0]["restartCount"])
            say("  secrets rotated without a restart: both good, then the old one refused")

    def try_until(self, release, secret, status):
        """Posts webhooks signed by one of the senders' secrets until one is answered `status`; that, or a time-out."""
        client = release.start_client(
            f"sender-{secret}", "webhooks", "send", "--sample=pass", "--unique", f"--secret-file=/senders/{secret}",
            "--every=500ms", "--output=json", mounts={"senders": "/senders"})
        try:
            return client.wait_line(f"an answer {status}", lambda line: line.get("status") == status)["status"]
        finally:
            client.delete()


if __name__ == "__main__":
    unittest.main()
