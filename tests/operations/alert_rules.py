"""The chart's rule file, as it is and scaled down in time.

Scaling is mechanical, one factor for all: each `for`, each duration in an expression (ranges, offsets), and each
threshold whose name ends in Seconds is divided by it. Nothing else changes. With 120 the two minutes of `for: 2m` are
one second, and a scrape each 250 ms stands for one each 30 s.
"""

import copy
import os
import re

import yaml

from debian_tools import ROOT

FILE = os.path.join(ROOT, "deploy", "helm", "refund-relay", "files", "alerts.yaml")
FACTOR = 120

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"^([0-9]+)(ms|s|m|h|d|w)$")


def load():
    """The content of the file: {"groups": [...]}."""
    with open(FILE, encoding="utf-8") as file:
        return yaml.safe_load(file)


def rules(content):
    return [rule for group in content["groups"] for rule in group["rules"]]


def _scaled_duration(text, factor):
    number, unit = _DURATION.match(text).groups()
    return f"{round(int(number) * _UNITS[unit] * 1000 / factor)}ms"


def scaled_expression(expression, factor):
    expression = re.sub(r"\[([0-9]+[a-z]+)\]", lambda m: f"[{_scaled_duration(m[1], factor)}]", expression)
    expression = re.sub(r"\boffset ([0-9]+[a-z]+)", lambda m: f"offset {_scaled_duration(m[1], factor)}", expression)
    return re.sub(r"\b([0-9.]+)( # [a-zA-Z]+Seconds)\b", lambda m: f"{float(m[1]) / factor}{m[2]}", expression)


def scaled(content, factor=FACTOR):
    """A copy of the rules in which time goes by `factor` times as fast."""
    content = copy.deepcopy(content)
    for rule in rules(content):
        rule["expr"] = scaled_expression(rule["expr"], factor)
        if "for" in rule:
            rule["for"] = _scaled_duration(rule["for"], factor)
    return content


def broken(content, expression, only=None):
    """A copy with another expression in each rule, or in the one called `only`: a test that still passes is none."""
    content = copy.deepcopy(content)
    for rule in rules(content):
        if only in (None, rule["alert"]):
            rule["expr"] = expression
    return content


def thresholds(content):
    """{name: {its numbers}} of the thresholds that stand in the expressions."""
    found = {}
    for rule in rules(content):
        for number, name in re.findall(r"\b([0-9.]+) # ([a-zA-Z]+)", rule["expr"]):
            found.setdefault(name, set()).add(number)
    return found
