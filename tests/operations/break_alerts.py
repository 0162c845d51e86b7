"""Shows that test_alerts fails for each alert whose rule is broken: ./dev test's opposite, run by hand after a change.

usage: break_alerts.py BUILD_FOLDER    (such as build/release); about ten minutes

Every rule gets an expression that never fires: each alert must be reported as one that does not fire. Then one that
always fires: each must be reported where nothing is wrong.
"""

import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import alert_rules  # noqa: E402

TARGETLESS = "RefundRelayAbsent"  # it has no instance, so an expression that always fires shows otherwise


def failures(build, expression):
    """What test_alerts reports with this expression in place of every rule's."""
    build = os.path.abspath(build)
    tests = os.path.dirname(HERE)
    environment = {
        **os.environ, "REFUND_RELAY_BIN": os.path.join(build, "bin"), "REFUND_RELAY_ALERT_EXPRESSION": expression,
        "REFUND_RELAY_ALERT_PATIENCE": "20", "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": ":".join([os.path.join(build, "tests", "interop", "gen"), os.path.join(tests, "interop"), HERE]),
    }
    done = subprocess.run(["/usr/bin/python3", "-m", "unittest", "test_alerts"], cwd=build, env=environment, text=True,
                          capture_output=True, timeout=1200)
    if done.returncode == 0:
        sys.exit(f"test_alerts passes with {expression}")
    return done.stdout + done.stderr


def main():
    alerts = {rule["alert"] for rule in alert_rules.rules(alert_rules.load())}
    never = failures(sys.argv[1], "vector(0) > 1")
    missing = alerts - set(re.findall(r"^(\w+) does not fire at", never, re.MULTILINE))
    print(f"never fires: {len(alerts - missing)} of {len(alerts)} are noticed", *sorted(missing))
    always = failures(sys.argv[1], 'refund_relay_build_info{job="refund-relay"} == 1')
    unnoticed = alerts - set(re.findall(r"^(\w+) fired where nothing is wrong", always, re.MULTILINE))
    unnoticed -= {TARGETLESS} & set(re.findall(r"^(\w+) does not fire at", always, re.MULTILINE))
    print(f"always fires: {len(alerts - unnoticed)} of {len(alerts)} are noticed", *sorted(unnoticed))
    sys.exit(1 if missing or unnoticed else 0)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
