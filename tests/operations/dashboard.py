"""The chart's dashboard: its panels, and their queries with Grafana's variables filled in."""

import json
import os

from debian_tools import ROOT

FILE = os.path.join(ROOT, "deploy", "helm", "refund-relay", "files", "dashboard.json")


def load():
    with open(FILE, encoding="utf-8") as file:
        return json.load(file)


def filled(expression, rate_interval):
    """The expression as Grafana sends it. `rate_interval` is a duration, such as 2m."""
    for name, value in (("$__rate_interval", rate_interval), ("$job", "refund-relay"), ("$instance", ".*")):
        expression = expression.replace(name, value)
    return expression


def panels(content):
    """Those that show data."""
    return [panel for panel in content["panels"] if panel["type"] != "row"]
