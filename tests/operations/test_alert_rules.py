"""The chart's alert rules: promtool takes and tests them, each has all that a person needs, and none is untested."""

import os
import re
import subprocess
import tempfile
import unittest

import yaml

import alert_rules
from debian_tools import ROOT, tool
from relay import DEADLINE

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rules")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def promtool(*arguments):
    return subprocess.run([tool("promtool"), *arguments], capture_output=True, text=True, timeout=DEADLINE)


def anchors(path):
    """The anchors that GitHub gives the headings of a document."""
    headings = re.findall(r"^#+ +(.*)$", read(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class AlertRulesTest(unittest.TestCase):
    def test_promtool_takes_them_as_they_are_and_scaled(self):
        for content in (alert_rules.load(), alert_rules.scaled(alert_rules.load())):
            with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
                yaml.safe_dump(content, file)
                file.flush()
                done = promtool("check", "rules", file.name)
                self.assertEqual(0, done.returncode, done.stdout + done.stderr)

    def test_scaling_divides_times_and_nothing_else(self):
        self.assertEqual(
            'a[2500ms] offset 30000ms > 2.5 # lagSeconds\n and 3 # days', alert_rules.scaled_expression(
                'a[5m] offset 1h > 300 # lagSeconds\n and 3 # days', 120))

    def test_each_has_what_a_person_needs(self):
        known = anchors(os.path.join(ROOT, "docs", "operations.md"))
        names = [rule["alert"] for rule in alert_rules.rules(alert_rules.load())]
        self.assertEqual(len(names), len(set(names)))
        for rule in alert_rules.rules(alert_rules.load()):
            with self.subTest(rule["alert"]):
                self.assertIn(rule["labels"]["severity"], ("critical", "warning", "info"))
                self.assertEqual({"summary", "description", "runbook_url"}, set(rule["annotations"]))
                self.assertTrue(all(rule["annotations"].values()))
                address, _, anchor = rule["annotations"]["runbook_url"].partition("#")
                self.assertEqual(("RUNBOOK_URL", rule["alert"].lower()), (address, anchor))
                self.assertIn(anchor, known)
                for selector in re.findall(r"\b(?:refund_relay_\w+|process_\w+|up)\b(\{[^}]*\})?", rule["expr"]):
                    self.assertIn('job="refund-relay"', selector, "every series is of the job")

    def test_the_runbook_tells_of_no_alert_that_is_none(self):
        names = {rule["alert"] for rule in alert_rules.rules(alert_rules.load())}
        told = set(re.findall(r"^#+ +(RefundRelay\w+)$", read(os.path.join(ROOT, "docs", "operations.md")), re.MULTILINE))
        self.assertEqual(names, told)

    def test_the_head_of_the_file_lists_the_thresholds(self):
        listed = dict(re.findall(r"^#   ([a-zA-Z]+) +([0-9.]+) +\S", read(alert_rules.FILE), re.MULTILINE))
        self.assertEqual(alert_rules.thresholds(alert_rules.load()), {name: {value} for name, value in listed.items()})

    def test_promtools_own_tests_pass_and_miss_each_rule_that_never_fires(self):
        content = alert_rules.load()
        broken = alert_rules.broken(content, "vector(0) > 1")
        missed = set()
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "alerts.yaml"), "w", encoding="utf-8") as file:
                yaml.safe_dump(broken, file)
            for name in os.listdir(TESTS):
                done = promtool("test", "rules", os.path.join(TESTS, name))
                self.assertEqual(0, done.returncode, f"{name}: {done.stdout}{done.stderr}")
                tests = yaml.safe_load(read(os.path.join(TESTS, name)))
                tests["rule_files"] = ["alerts.yaml"]
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    yaml.safe_dump(tests, file)
                done = promtool("test", "rules", os.path.join(folder, name))
                self.assertEqual(1, done.returncode, done.stdout + done.stderr)
                missed.update(re.findall(r"alertname=\\?\"(\w+)", done.stdout + done.stderr))
        self.assertEqual({rule["alert"] for rule in alert_rules.rules(content)}, missed)


if __name__ == "__main__":
    unittest.main()
