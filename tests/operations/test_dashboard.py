"""The dashboard: every query of it returns data of a real server from a real Prometheus, and Grafana can lay it out."""

import math
import re
import unittest

import dashboard
from alert_site import Site, Watch
from prometheus import Prometheus
from watched_server import WatchedServer

RATE_INTERVAL = "3s"  # what two minutes are at a scrape each 30 s, and some


class DashboardTest(unittest.TestCase):
    def test_every_query_returns_data(self):
        queries = [target["expr"] for panel in dashboard.panels(dashboard.load()) for target in panel["targets"]]
        queries += [a["expr"] for a in dashboard.load()["annotations"]["list"] if "expr" in a]
        self.assertGreater(len(queries), 30)
        with Prometheus() as prometheus, Watch(prometheus) as watch:
            with WatchedServer(Site(prometheus, watch)) as watched:
                number = 0

                def returns(expression):
                    nonlocal number
                    watched.act(number)
                    number += 1
                    rows = prometheus.query(expression)
                    return any(math.isfinite(value) for _, value in rows)

                for query in queries:
                    expression = dashboard.filled(query, RATE_INTERVAL)
                    self.assertNotIn("$", expression)
                    with self.subTest(query):
                        if "changes(process_start_time_seconds" in query:
                            expression = expression.replace(" > 0", "")  # it has not been restarted
                        prometheus.wait_for("data", lambda: returns(expression))
                for variable in dashboard.load()["templating"]["list"]:
                    if variable["type"] == "query":
                        series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()
                        rows = prometheus.query(dashboard.filled(series, RATE_INTERVAL))
                        self.assertTrue(rows and all(label in labels for labels, _ in rows), series)

    def test_panels_have_names_units_and_a_place_of_their_own(self):
        content = dashboard.load()
        self.assertGreaterEqual(content["schemaVersion"], 39)
        self.assertEqual(len(content["panels"]), len({panel["id"] for panel in content["panels"]}))
        taken = set()
        for panel in content["panels"]:
            with self.subTest(panel["title"]):
                place = panel["gridPos"]
                cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                         for y in range(place["y"], place["y"] + place["h"])}
                self.assertLessEqual(place["x"] + place["w"], 24)
                self.assertFalse(cells & taken, "it lies over another")
                taken |= cells
                if panel["type"] != "row":
                    self.assertTrue(panel["title"] and panel["description"])
                    self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
                    for target in panel["targets"]:
                        self.assertEqual({"type": "prometheus", "uid": "${datasource}"}, target["datasource"])
                        self.assertIn('job="$job",instance=~"$instance"', target["expr"])


if __name__ == "__main__":
    unittest.main()
