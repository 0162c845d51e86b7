"""The chart and the binaries fit: rendered flags, arguments of `helm test`, the access policy. REFUND_RELAY_BIN is their folder."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import yaml

from rendering import CHART, VALUES_FILES, flags, one, render, render_file, server
from rendering import test_pods as pods_of_test

BIN = pathlib.Path(os.environ["REFUND_RELAY_BIN"])
USAGE, UNREACHABLE, LOCAL = 2, 3, 4  # exit codes of refundctl
NOWHERE = "127.0.0.1:1"


def run(program, *arguments):
    return subprocess.run([BIN / program, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)


class FlagsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.known = set(re.findall(r"^\s*--([a-z_]+)", run("refund-relay", "--help").stdout, re.MULTILINE))

    def test_help_was_understood(self):
        self.assertLessEqual({"http_address", "data_dir", "log_level"}, self.known)

    def test_the_server_knows_every_rendered_flag(self):
        for path in VALUES_FILES:
            self.assertLessEqual(set(flags(server(render_file(path)))), self.known, path.name)

    def test_the_chart_knows_every_flag_of_the_server(self):
        chart = yaml.safe_load((CHART / "files" / "flags.yaml").read_text())
        self.assertEqual(self.known - {"help", "version"}, set(chart))
        self.assertEqual(("value", "boolean"), (chart["max_streams"], chart["grpc_reflection"]))

    def test_the_server_knows_every_flag_that_the_chart_keeps_for_itself(self):
        text = (CHART / "templates" / "_validate.tpl").read_text().split('define "refund-relay.ownFlags"')[1]
        self.assertLessEqual(set(re.findall(r"^([a-z_]+): ", text, re.MULTILINE)), self.known)

    def test_the_chart_keeps_every_flag_that_it_sets(self):
        own = set(re.findall(r"^- --([a-z_]+)=", (CHART / "templates" / "_helpers.tpl").read_text(), re.MULTILINE))
        text = (CHART / "templates" / "_validate.tpl").read_text().split('define "refund-relay.ownFlags"')[1]
        self.assertLessEqual(own, set(re.findall(r"^([a-z_]+): ", text, re.MULTILINE)))
        self.assertGreater(len(own), 8)

    def test_refundctl_takes_the_arguments_of_helm_test(self):
        system = render(CHART / "ci" / "tls-existing-secret-values.yaml", values={"tests": {"ca": {"system": True}, "postSample": True}})
        for name, objects in [(path.name, render_file(path)) for path in VALUES_FILES] + [("tests.ca.system", system)]:
            for container in (pod["spec"]["containers"][0] for pod in pods_of_test(objects)):
                # Nothing listens there; what counts is that the command line is understood.
                arguments = [re.sub(r"refund[a-z-]*\.refunds\.svc:\d+", NOWHERE, part) for part in container["command"][1:]]
                done = run("refundctl", *[part.replace("--timeout=10s", "--timeout=100ms") for part in arguments])
                self.assertIn(done.returncode, (UNREACHABLE, LOCAL), f"{name} {container['name']}: {done.stderr}")

    def test_refundctl_refuses_other_arguments(self):
        self.assertEqual(USAGE, run("refundctl", "check", "subscribe", "--nome=x").returncode)

    def test_rendered_access_policies_are_good(self):
        for name in ("mutual-tls-policy", "token-policy"):
            rendered = one(render_file(CHART / "ci" / f"{name}-values.yaml"), "ConfigMap")["data"]["access-policy.json"]
            with tempfile.NamedTemporaryFile("w") as file:
                file.write(rendered)
                file.flush()
                done = run("refundctl", "policy", "check", file.name)
            self.assertEqual(0, done.returncode, done.stderr)
            for subscriber in json.loads(rendered)["subscribers"]:
                self.assertIn(subscriber, done.stdout)


if __name__ == "__main__":
    unittest.main()
