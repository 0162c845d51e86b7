"""Runs the chart on the Kubernetes that KUBECONFIG names, and tells what was seen: `./dev cluster`."""

import argparse
import contextlib
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
DESCRIPTION = """\
Installs the chart on the Kubernetes that KUBECONFIG names, in namespaces of its own (rr-...), which enforce Pod Security
`restricted` and are deleted at the end. Everything else of the cluster is left alone, but for --crds."""


def parse():
    parser = argparse.ArgumentParser(prog="./dev cluster", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", default="localhost/refund-relay:dev", help="REPOSITORY:TAG that the nodes have or can pull (default %(default)s)")
    parser.add_argument("--load", metavar="COMMAND", help="put the image on the nodes first: `COMMAND ARCHIVE` is run with a docker archive that "
                        "buildah writes, such as 'kind load image-archive'")
    parser.add_argument("--from", dest="commit", metavar="COMMIT", help="upgrade from the chart of this commit (default: the last one that differs)")
    parser.add_argument("--crds", action="store_true", help="apply the definitions of Gateway API, Envoy Gateway, Prometheus Operator and cert-manager that the "
                        "cluster lacks, so that those values files run, too; deleted at the end")
    parser.add_argument("tests", nargs="*", help="only these, such as test_upgrade (default: all of tests/cluster)")
    return parser.parse_args()


def load(image, command):
    with tempfile.TemporaryDirectory() as folder:
        archive = pathlib.Path(folder) / "image.tar"
        subprocess.run(["buildah", "push", "--quiet", image, f"docker-archive:{archive}:{image}"], check=True)
        subprocess.run([*shlex.split(command), str(archive)], check=True, stdout=subprocess.DEVNULL)


def missing_definitions(cluster):
    """(file, name) of the CRDs of kinds that the chart renders and the cluster does not know."""
    missing = set()
    for path in (cluster.CHART / "ci").glob("*-values.yaml"):
        missing |= {(doc["apiVersion"], doc["kind"]) for doc in cluster.rendered(path, "default")}
    for api_version, kind in sorted(missing - cluster.known_kinds()):
        group = api_version.split("/")[0]
        for module, pattern in cluster.tools.CRDS:
            for path in cluster.tools.module(module).glob(pattern):
                text = path.read_text()
                if f"\n  group: {group}\n" in text and f"\n    kind: {kind}\n" in text:
                    yield path, "customresourcedefinition/" + ".".join(path.stem.split("_")[::-1])


@contextlib.contextmanager
def definitions(cluster, wanted):
    """Applies the CRDs that the cluster lacks, and takes them away again."""
    applied = []
    try:
        for path, name in missing_definitions(cluster) if wanted else ():
            applied.append(name)
            cluster.kubectl("apply", "--server-side", "--filename", path)
        if applied:
            cluster.wait_for("the new kinds", lambda: not list(missing_definitions(cluster)))
            cluster.say(f"applied {len(applied)} definitions of custom resources")
        yield
    finally:
        if applied:
            cluster.kubectl("delete", "--ignore-not-found", *applied)


def main():
    arguments = parse()
    os.environ["REFUND_RELAY_IMAGE"] = arguments.image
    if arguments.commit:
        os.environ["REFUND_RELAY_FROM"] = arguments.commit
    sys.path.insert(0, str(HERE))
    import cluster  # reads the environment

    started = time.monotonic()
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=HERE, capture_output=True, text=True, check=True).stdout.strip()
    version = cluster.kubectl("version", "--output=yaml").split("serverVersion:")[1].split("gitVersion: ")[1].split()[0]
    cluster.say(f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, commit {commit}, Kubernetes {version}, "
                f"Helm {cluster.tools.COMMANDS['helm4'].split('@')[1]}, image {arguments.image}")
    if arguments.load:
        load(arguments.image, arguments.load)
    with definitions(cluster, arguments.crds):
        loader = unittest.TestLoader()
        suite = loader.loadTestsFromNames(arguments.tests) if arguments.tests else loader.discover(str(HERE))
        try:
            result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(suite)
        finally:
            cluster.delete_namespaces()
    cluster.say(f"{time.monotonic() - started:.0f} s in all")
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
