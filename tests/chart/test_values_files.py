"""Every way of running: linted and rendered by both Helms, and valid by the schemas of Kubernetes and the CRDs."""

import json
import pathlib
import re
import subprocess
import tarfile
import tempfile
import unittest

import yaml

import schemas
import tools
from rendering import CHART, HELMS, MINIMAL, NAMESPACE, Refused, VALUES_FILES, helm, notes, parent_chart, render, render_file


def invalid(objects):
    """What kubeconform finds wrong."""
    for doc in objects:
        schemas.write(doc["apiVersion"], doc["kind"])
    done = subprocess.run(
        [tools.command("kubeconform"), "-strict", "-output", "json", "-schema-location", schemas.LOCATION, "-"],
        input=yaml.safe_dump_all(objects), capture_output=True, text=True, check=False,
    )
    return [f"{part['kind']} {part['name']}: {part['msg']}" for part in json.loads(done.stdout)["resources"]]


class ValuesFilesTest(unittest.TestCase):
    def test_lint_strict(self):
        for version in HELMS:
            for path in VALUES_FILES:
                with self.subTest(path.name, helm=version):
                    arguments = ("lint", "--strict", CHART, "--values", path, "--kube-version", tools.KUBERNETES)
                    self.assertIn("1 chart(s) linted, 0 chart(s) failed", helm(*arguments, version=version))

    def test_lint_strict_finds_something(self):
        with self.assertRaisesRegex(Refused, "additional properties 'replicas' not allowed"):
            helm("lint", "--strict", CHART, "--set", "replicas=1", "--kube-version", tools.KUBERNETES)

    def test_valid_by_the_schemas(self):
        for version in HELMS:
            for path in VALUES_FILES:
                with self.subTest(path.name, helm=version):
                    self.assertEqual([], invalid(render_file(path, version)))

    def test_a_monitor_of_an_admin_port_with_tls_is_valid(self):
        values = {"monitoring": {"serviceMonitor": {"enabled": True}}}
        self.assertEqual([], invalid(render(CHART / "ci" / "tls-existing-secret-values.yaml", values=values)))

    def test_the_schemas_find_something(self):
        for broken, what in (
            ({"readinessProbe": {"periodSecond": 1}}, "periodSecond"),
            ({"tolerations": [{"key": 7}]}, "got number, want"),
            ({"updateStrategy": {"rollingUpdate": []}}, "updateStrategy/rollingUpdate"),
        ):
            with self.subTest(what):
                found = invalid(render(MINIMAL, values=broken))
                self.assertTrue(any(text.startswith("StatefulSet ") and what in text for text in found), found)
        wrong_route = render(CHART / "ci" / "gateway-api-values.yaml", values={"gatewayApi": {"grpc": {"parentRefs": [{"gateway": "x"}]}}})
        self.assertIn("gateway", "".join(invalid(wrong_route)))

    def test_both_helms_render_the_same(self):
        for path in VALUES_FILES:
            with self.subTest(path.name):
                self.assertEqual(*(by_name(render_file(path, version)) for version in HELMS))

    def test_every_object_is_in_the_namespace_of_the_release(self):
        for path in VALUES_FILES:
            for doc in render_file(path):
                self.assertEqual(NAMESPACE, doc["metadata"]["namespace"], doc["kind"])

    def test_the_package_is_whole(self):
        with tempfile.TemporaryDirectory() as folder:
            for version in HELMS:
                helm("package", CHART, "--destination", folder, version=version)
                package = next(pathlib.Path(folder).glob("*.tgz"))
                self.assertEqual(by_name(render_file(MINIMAL, version)), by_name(render(MINIMAL, chart=package, version=version)))
                with tarfile.open(package) as archive:
                    names = archive.getnames()
                for name in ("README.md", "UPGRADING.md", "values.schema.json", "files/alerts.yaml", "files/flags.yaml",
                             "templates/tests/check.yaml"):
                    self.assertIn(f"refund-relay/{name}", names)
                for path in VALUES_FILES:
                    self.assertIn(f"refund-relay/ci/{path.name}", names)

    def test_the_readme_names_every_values_file_and_no_other(self):
        named = re.findall(r"^\| `(\S+-values\.yaml)` \|", (CHART / "README.md").read_text(), re.MULTILINE)
        self.assertEqual([path.name for path in VALUES_FILES], sorted(named))

    def test_the_readme_leads_nowhere_outside_of_the_package(self):
        readme = (CHART / "README.md").read_text()
        for target in re.findall(r"\]\(([^)]+)\)", readme):
            self.assertTrue(target.startswith("https://") or (CHART / target).exists(), target)
        self.assertNotRegex(readme, r"(?<!blob/main/)docs/|deploy/helm/")

    def test_notes_tell_the_next_command(self):
        for version in HELMS:
            text = notes(MINIMAL, version=version)
            self.assertIn("rollout status statefulset/refund-relay", text)
            self.assertIn("helm test refund-relay --namespace refunds --logs", text)
            self.assertIn("whoever reaches the gRPC port sees all events", text)
            self.assertNotIn("WARNING", text)

    def test_notes_warn_of_what_is_dangerous(self):
        text = notes(CHART / "ci" / "trial-values.yaml")
        self.assertIn("WARNING: persistence.enabled=false", text)
        self.assertIn("WARNING: tests.postSample is on", text)
        backup = CHART / "ci" / "backup-values.yaml"
        self.assertNotIn("emptyDir", notes(backup))
        on_the_pod = {"backup": {"volume": {"emptyDir": {}, "persistentVolumeClaim": None}}}
        self.assertIn("WARNING: backup.volume is an emptyDir", notes(backup, values=on_the_pod))

    def test_notes_tell_how_to_subscribe(self):
        self.assertIn("exec refund-relay-0 -- refundctl tail --name=trial --from=earliest\n", notes(MINIMAL))
        self.assertIn("--from=earliest --address=localhost:6000\n", notes(MINIMAL, values={"grpc": {"port": 6000}}))
        name = "--server_name=refund-relay-grpc.refunds.svc"
        for file, words in (("tls-existing-secret", f"{name}\n"), ("mutual-tls-policy", f"{name} --cert_file=tls.crt --key_file=tls.key\n"),
                            ("token-policy", f"{name} --token_file=token\n")):
            text = notes(CHART / "ci" / f"{file}-values.yaml")
            self.assertIn(words, text)
            self.assertNotIn("exec refund-relay-0", text)

    def test_notes_tell_what_helm_test_lacks(self):
        policy = {"accessPolicy": {"policy": {"subscribers": {}}}}
        plain = "so it fails. No identity is shown in plain text: give grpc.tls, or say tests.enabled=false.\n"
        self.assertIn(plain, notes(MINIMAL, values=policy))
        with_tls = CHART / "ci" / "tls-existing-secret-values.yaml"
        self.assertIn("so it fails. Give it an identity by tests.existingSecret.\n", notes(with_tls, values=policy))
        self.assertIn("tests.ca.system=true", notes(with_tls))
        for ca in ({"system": True}, {"existingSecret": "ca"}):
            self.assertNotIn("tests.ca", notes(with_tls, values={"tests": {"ca": ca}}))

    def test_notes_warn_of_a_gateway_that_sends_plain_text_to_tls(self):
        words = "WARNING: gatewayApi.grpc leads to a port that speaks TLS"
        path = CHART / "ci" / "gateway-api-tls-values.yaml"
        self.assertIn(words, notes(path, values={"gatewayApi": {"backendTLS": {"enabled": False}}}))
        self.assertNotIn(words, notes(path))

    def test_files_that_follow_from_others_are_fresh(self):
        script = CHART.parent / "generated.py"
        self.assertEqual(0, subprocess.run(["/usr/bin/python3", script, "--check"], check=False).returncode)


class SubchartTest(unittest.TestCase):
    def test_renders_below_a_parent(self):
        with tempfile.TemporaryDirectory() as folder:
            parent = parent_chart(folder)
            for version in HELMS:
                for path in VALUES_FILES:
                    values = {"global": {"team": "payments"}, "refund-relay": yaml.safe_load(path.read_text())}
                    with self.subTest(path.name, helm=version):
                        objects = render(values=values, chart=parent, version=version)
                        self.assertEqual(by_name(render_file(path, version)), by_name(objects))

    def test_the_parents_condition_switches_it_off(self):
        with tempfile.TemporaryDirectory() as folder:
            values = {"refund-relay": {"enabled": False}}
            self.assertEqual([], render(values=values, chart=parent_chart(folder)))

    def test_a_wrong_value_is_refused_below_a_parent(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(Refused, "replicaCount"):
            render(values={"refund-relay": {"replicaCount": 2}}, chart=parent_chart(folder))


def by_name(objects):
    return {(doc["kind"], doc["metadata"]["name"]): doc for doc in objects}


if __name__ == "__main__":
    unittest.main()
