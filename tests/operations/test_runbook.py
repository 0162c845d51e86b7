"""The blocks marked `sh` of docs/operations.md, in their order, against a running server: each must succeed. And its figures
are those of docs/performance.md."""

import os
import re
import subprocess
import unittest

import webhooks
from alert_fault import commit
from debian_tools import ROOT
from relay import BIN, DEADLINE, Relay


def read(name):
    with open(os.path.join(ROOT, "docs", name), encoding="utf-8") as file:
        return file.read()


class RunbookTest(unittest.TestCase):
    def test_each_figure_of_sizing_is_one_of_performance(self):
        (section,) = re.findall(r"^## Sizing\n(.*?)^## ", read("operations.md"), re.MULTILINE | re.DOTALL)
        cells = re.findall(r"^\|[^|]*\|([^|]*\d[^|]*)\|", section, re.MULTILINE)
        figures = re.findall(r"\d[\d,.]*", " ".join(cells).replace(",", ""))
        self.assertLess(8, len(figures), cells)
        known = set(re.findall(r"\d+(?:\.\d+)?", read("performance.md").replace(",", "")))
        self.assertEqual([], [figure for figure in figures if figure not in known])

    def test_each_command_works_as_written(self):
        blocks = re.findall(r"^```sh\n(.*?)^```$", read("operations.md"), re.MULTILINE | re.DOTALL)
        self.assertGreater(len(blocks), 8)
        relay = Relay()
        secret = relay.write_file("webhook.secret", "the first secret\n")
        relay.flags.append(f"--webhook_secret_files={secret}")
        with relay:
            body = webhooks.encode(webhooks.webhook(1))
            self.assertEqual(200, relay.post(body, webhooks.signed(body, "the first secret"))[0])
            relay.post(b"{", webhooks.signed(b"{", "the first secret"))
            commit(relay, "gone-for-good")
            environment = {
                **os.environ, "PATH": f"{BIN}:{os.environ['PATH']}",
                "REFUND_RELAY_ADDRESS": "%s:%d" % relay.address("grpc"),
            }
            for block in blocks:
                with self.subTest(block):
                    # The document names the default addresses; here the ports are others.
                    script = "set -euo pipefail\n" + block.replace("127.0.0.1:8081", "%s:%d" % relay.address("admin"))
                    done = subprocess.run(["bash", "-c", script], cwd=relay.folder, env=environment, text=True,
                                          capture_output=True, timeout=DEADLINE)
                    self.assertEqual(0, done.returncode, done.stdout + done.stderr)
                    self.assertTrue(done.stdout or not re.search(r"curl|refundctl|verify", block), "it printed nothing")
            # Whoever follows the runbook gives no subscriber a refund that never was.
            stored = subprocess.run([os.path.join(BIN, "refundctl"), "list", "--output=json"], env=environment, text=True,
                                    capture_output=True, timeout=DEADLINE, check=True).stdout
            self.assertEqual(1, stored.count('"kind":"event"'), stored)


if __name__ == "__main__":
    unittest.main()
