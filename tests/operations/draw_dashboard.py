"""Draws docs/dashboard.png: the panels of the dashboard by matplotlib, from their own queries against a Prometheus that
watches a real server. Not Grafana's picture. Run by hand; needs python3-matplotlib besides what the tests need.

usage: draw_dashboard.py BUILD_FOLDER [SECONDS]    with the PYTHONPATH of the tests, see tests/interop/CMakeLists.txt
"""

import math
import os
import random
import sys
import threading
import time

os.environ.setdefault("REFUND_RELAY_BIN", os.path.join(os.path.abspath(sys.argv[1]), "bin"))

import matplotlib  # noqa: E402

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

import dashboard  # noqa: E402
from alert_site import Site, Watch  # noqa: E402
from debian_tools import ROOT  # noqa: E402
from prometheus import Prometheus  # noqa: E402
from watched_server import WatchedServer  # noqa: E402

RATE_INTERVAL = "5s"
UNITS = {"reqps": "1/s", "s": "seconds", "short": "", "percentunit": "share", "bytes": "bytes", "none": ""}


def text_of(value, unit):
    if unit == "s":
        return f"{value:.0f} s" if value < 7200 else f"{value / 86400:.0f} days"
    return f"{value * 100:.0f} %" if unit == "percentunit" else f"{value:g}"


def legend_of(template, labels):
    for name, value in labels.items():
        template = template.replace("{{%s}}" % name, value)
    return template


def draw(panel, axes, prometheus, seconds):
    unit = panel["fieldConfig"]["defaults"]["unit"]
    axes.set_title(panel["title"], fontsize=9, loc="left")
    if panel["type"] == "stat":
        rows = prometheus.query(dashboard.filled(panel["targets"][0]["expr"], RATE_INTERVAL))
        names = {key: value["text"] for mapping in panel["fieldConfig"]["defaults"]["mappings"]
                 for key, value in mapping["options"].items()}
        text = "no data" if not rows else names.get(f"{rows[0][1]:g}", text_of(rows[0][1], unit))
        axes.text(0.5, 0.45, text, ha="center", va="center", fontsize=16)
        axes.set_xticks([])
        axes.set_yticks([])
        return
    for target in panel["targets"]:
        for labels, points in prometheus.query_range(dashboard.filled(target["expr"], RATE_INTERVAL), seconds, "1s"):
            points = [(at, value) for at, value in points if math.isfinite(value)]
            if points:
                end = time.time()
                axes.plot([at - end for at, _ in points], [value for _, value in points], linewidth=0.9,
                          label=legend_of(target["legendFormat"], labels))
    axes.set_ylim(bottom=0)
    axes.set_ylabel(UNITS[unit], fontsize=7)
    axes.tick_params(labelsize=6)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=6, loc="upper left", framealpha=0.6)


def main():
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 180
    content = dashboard.load()
    with Prometheus() as prometheus, Watch(prometheus) as watch:
        with WatchedServer(Site(prometheus, watch)) as watched:
            pause = threading.Event()
            begun, number = time.monotonic(), 0
            while time.monotonic() - begun < seconds:
                watched.act(number)
                number += 1
                # Refunds come by chance, more of them in the middle.
                share = (time.monotonic() - begun) / seconds
                pause.wait(random.expovariate(2 + 18 * math.sin(math.pi * share) ** 2))
            rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in content["panels"])
            figure = pyplot.figure(figsize=(16, rows * 0.36))
            for panel in content["panels"]:
                place = panel["gridPos"]
                if panel["type"] == "row":
                    figure.text(0.01, 1 - (place["y"] + 0.8) / rows, panel["title"], fontsize=11, weight="bold")
                    continue
                axes = figure.add_axes([(place["x"] + 0.9) / 24, 1 - (place["y"] + place["h"] - 0.7) / rows,
                                        (place["w"] - 1.2) / 24, (place["h"] - 1.7) / rows])
                draw(panel, axes, prometheus, seconds)
            figure.savefig(os.path.join(ROOT, "docs", "dashboard.png"), dpi=72)


if __name__ == "__main__":
    main()
