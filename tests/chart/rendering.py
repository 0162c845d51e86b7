"""Renders the chart, and finds things in what comes out."""

import functools
import json
import pathlib
import shutil
import subprocess
import tempfile

import yaml

import tools
from tools import CHART

HELMS = ("helm4", "helm3")
VALUES_FILES = sorted((CHART / "ci").glob("*-values.yaml"))
MINIMAL = CHART / "ci" / "minimal-values.yaml"
NAMESPACE = "refunds"


class Refused(Exception):
    """Helm rendered nothing; the text is its message."""


def helm(*arguments, version="helm4"):
    done = subprocess.run([tools.command(version), *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Refused(done.stdout + done.stderr)
    return done.stdout


def render_text(*values_files, values=None, chart=CHART, release="refund-relay", upgrade=False, version="helm4"):
    """The manifests as one text. `values` is a mapping that comes after the files."""
    arguments = [release, chart, "--namespace", NAMESPACE, *(["--is-upgrade"] if upgrade else [])]
    command = ["template", "--kube-version", tools.KUBERNETES]
    for path in values_files:
        arguments += ["--values", path]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as last:
        json.dump(values or {}, last)
        last.flush()
        return helm(*command, *arguments, "--values", last.name, version=version)


def render(*values_files, **options):
    """The objects, as a list of dictionaries."""
    return [doc for doc in yaml.safe_load_all(render_text(*values_files, **options)) if doc]


def chart_copy(folder):
    """The chart once more, in `folder`, to be changed."""
    return pathlib.Path(shutil.copytree(CHART, pathlib.Path(folder) / "refund-relay"))


def notes(*values_files, **options):
    """NOTES.txt as `helm install` prints it. Without a cluster Helm shows none, so a copy of the chart has it as an object."""
    with tempfile.TemporaryDirectory() as folder:
        copy = chart_copy(folder)
        text = (copy / "templates" / "NOTES.txt").read_text()
        (copy / "templates" / "notes.yaml").write_text(
            '{{- define "notes" }}' + text + '{{ end }}kind: Notes\nmetadata: {name: notes}\ntext: {{ include "notes" . | toJson }}\n'
        )
        return one(render(*values_files, chart=copy, **options), "Notes")["text"]


@functools.cache
def render_file(path, version="helm4"):
    """The objects of one values file; rendered once, so do not change them."""
    return render(path, version=version)


def minimal(**values):
    """The objects of the minimal values file and `values`."""
    return render(MINIMAL, values=values)


def one(objects, kind, name=None):
    """The one object of this kind (and name)."""
    found = [doc for doc in objects if doc["kind"] == kind and name in (None, doc["metadata"]["name"])]
    if len(found) != 1:
        raise AssertionError(f"{len(found)} objects are a {kind} named {name or 'anything'}, not one")
    return found[0]


def kinds(objects):
    return sorted({doc["kind"] for doc in objects})


def pod_spec(objects):
    return one(objects, "StatefulSet")["spec"]["template"]["spec"]


def server(objects):
    return next(part for part in pod_spec(objects)["containers"] if part["name"] == "refund-relay")


def flags(container):
    """The arguments `--name=value` as a mapping."""
    return dict(text.removeprefix("--").split("=", 1) for text in container.get("args") or container["command"] if "=" in text)


def test_pods(objects):
    """The pods of `helm test`, one container each."""
    return [doc for doc in objects if "helm.sh/hook" in doc["metadata"].get("annotations", {})]


def test_pod(objects, name):
    return one(test_pods(objects), "Pod", f"{one(objects, 'StatefulSet')['metadata']['name']}-test-{name}")


def test_container(objects, name):
    (container,) = test_pod(objects, name)["spec"]["containers"]
    return container


def parent_chart(folder):
    """A chart in `folder` that has this one below it, and the path to it."""
    parent = pathlib.Path(folder) / "parent"
    (parent / "charts").mkdir(parents=True)
    (parent / "Chart.yaml").write_text(
        "apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies:\n"
        "  - {name: refund-relay, version: 0.1.0, condition: refund-relay.enabled}\n"
    )
    (parent / "charts" / "refund-relay").symlink_to(CHART)
    return parent
