"""The tools and schemas that `./dev chart` uses, from the Go module proxy: built once, kept under .cache/chart.

None is in Debian. Versions are pinned here; `go` checks every module against the checksum database.
"""

import functools
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy" / "helm" / "refund-relay"
CACHE = ROOT / ".cache" / "chart"

KUBERNETES = "1.36.3"
COMMANDS = {
    "helm4": "helm.sh/helm/v4/cmd/helm@v4.3.1",
    "helm3": "helm.sh/helm/v3/cmd/helm@v3.22.0",
    "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0",
}
# Modules that carry schemas, and where. What is not code of theirs is not built.
OPENAPI = (f"k8s.io/kubernetes@v{KUBERNETES}", "api/openapi-spec/swagger.json")
CRDS = (
    ("sigs.k8s.io/gateway-api@v1.6.3", "config/crd/standard/*.yaml"),
    ("github.com/prometheus-operator/prometheus-operator@v0.85.0", "example/prometheus-operator-crd/*.yaml"),
    ("github.com/cert-manager/cert-manager@v1.21.2", "deploy/crds/*.yaml"),
    ("github.com/envoyproxy/gateway@v1.9.1", "charts/gateway-helm/charts/crds/crds/generated/*.yaml"),
)


def go(*arguments, **environment):
    """The output of `go ARGUMENTS`, run outside of any module."""
    CACHE.mkdir(parents=True, exist_ok=True)
    # Debian's Go does not fetch the newer Go that a module asks for, unless told.
    environment = {"GOTOOLCHAIN": "auto", **os.environ, "GOWORK": "off", "GOFLAGS": "-modcacherw", **environment}
    done = subprocess.run(
        ["go", *arguments], cwd=CACHE, env=environment,
        stdout=subprocess.PIPE, check=False, text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"go {' '.join(arguments)} failed: {done.stdout.strip() or 'see above'}")
    return done.stdout


@functools.cache
def command(name):
    """The path of a command of COMMANDS, built if this version of it is not there yet."""
    package = COMMANDS[name]
    folder = CACHE / "bin" / package.replace("/", "_")
    binary = folder / package.split("/")[-1].split("@")[0]
    if not binary.exists():
        go("install", package, GOBIN=str(folder))
    return binary


@functools.cache
def module(name_and_version):
    """The folder with the files of a module, downloaded if it is not there yet."""
    download = json.loads(go("mod", "download", "-json", name_and_version))
    return pathlib.Path(download["Dir"])
