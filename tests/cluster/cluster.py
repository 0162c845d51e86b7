"""A real Kubernetes, whichever KUBECONFIG names: namespaces, releases of the chart, pods of its image."""

import json
import os
import pathlib
import subprocess
import sys
import time

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy" / "helm" / "refund-relay"
sys.path[:0] = [str(ROOT / "tests" / "chart"), str(ROOT / "tests" / "interop")]

import tools  # noqa: E402 (of tests/chart)

# How long one step may take before the test fails. Images are there already; what takes time is a busy machine.
DEADLINE = 180
SECRET = "cluster-webhook-secret"
# The token whose hash is in ci/token-policy-values.yaml. It opens nothing but the servers of these tests.
TOKEN = "T5wq2vJmPz8sKd3nXc7hRb4yLf6gUa9eQo1tViWxNpM"
IMAGE = os.environ.get("REFUND_RELAY_IMAGE", "localhost/refund-relay:dev")


def say(text):
    print(text, flush=True)


def run(*command, stdin=None, check=True, deadline=DEADLINE):
    done = subprocess.run(
        [str(part) for part in command], input=stdin, capture_output=True, text=True, timeout=deadline, check=False
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done


def kubectl(*arguments, **options):
    return run("kubectl", *arguments, **options).stdout


def helm(*arguments, check=True, version="helm4"):
    done = run(tools.command(version), *arguments, check=check)
    return done.stdout if check else done


def wait_for(what, probe, deadline=DEADLINE):
    """The first true value of `probe`, asked again until then."""
    end = time.monotonic() + deadline
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline} s: {what}")
        time.sleep(0.3)


def rendered(path, namespace):
    """The objects of a values file, without asking the cluster."""
    text = helm("template", "refund-relay", CHART, "--namespace", namespace, "--values", path, "--kube-version", tools.KUBERNETES)
    return [doc for doc in yaml.safe_load_all(text) if doc]


def known_kinds():
    """Every (apiVersion, kind) that the cluster serves."""
    found = set()
    for line in kubectl("api-resources", "--no-headers").splitlines():
        words = line.split()
        found.add((words[-3], words[-1]))
    return found


_made = []  # names of the namespaces of this process


def delete_namespaces():
    """Waits until everything that this process made is gone."""
    if _made:
        kubectl("delete", "namespace", *_made, "--ignore-not-found", "--wait", "--timeout", f"{DEADLINE}s")


class Namespace:
    """A namespace that enforces Pod Security `restricted`; gone at the end, with all that is in it."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.delete(wait=True)
        _made.append(self.name)
        labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name, "labels": labels}})
        wait_for("the default service account", lambda: self.kubectl("get", "serviceaccount", "default", "--ignore-not-found"))
        return self

    def __exit__(self, *_):
        self.delete(wait=False)  # delete_namespaces waits for all at once

    def delete(self, wait):
        kubectl("delete", "namespace", self.name, "--ignore-not-found", f"--wait={str(wait).lower()}", "--timeout", f"{DEADLINE}s")

    def kubectl(self, *arguments, **options):
        return kubectl("--namespace", self.name, *arguments, **options)

    def apply(self, *objects):
        text = yaml.safe_dump_all(objects)
        return kubectl("apply", *(["--namespace", self.name] if objects[0]["kind"] != "Namespace" else []), "--filename", "-", stdin=text)

    def get(self, kind, name):
        return json.loads(self.kubectl("get", kind, name, "--output", "json"))

    def put_secret(self, name, kind="Opaque", **values):
        """`values` by key; a key that is no Python name comes as `{"tls.crt": ...}` in `more`."""
        more = values.pop("more", {})
        self.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": kind, "stringData": {**values, **more}})


class Release:
    """One release of the chart."""

    def __init__(self, namespace, name="refund-relay", helm_version="helm4", fullname=None):
        """`fullname` is what its objects are called, where that is another name than the release's."""
        self.namespace, self.name, self.helm_version, self.fullname = namespace, name, helm_version, fullname or name

    def install(self, *values_files, chart=CHART, values=None, upgrade=False):
        """Installs or upgrades, and waits until the pod is ready. Returns NOTES.txt."""
        repository, _, tag = IMAGE.rpartition(":")
        image = {"image": {"repository": repository, "tag": tag, "digest": ""}, "persistence": {"size": "64Mi"}}
        arguments = ["upgrade" if upgrade else "install", self.name, chart, "--namespace", self.namespace.name]
        for path in values_files:
            arguments += ["--values", path]
        notes = helm(*arguments, *sets(image), *sets(values or {}), version=self.helm_version)
        self.wait_ready()
        return notes

    def wait_ready(self):
        try:
            self.namespace.kubectl("rollout", "status", f"statefulset/{self.fullname}", "--timeout", f"{DEADLINE}s", deadline=2 * DEADLINE)
        except AssertionError as error:
            seen = [self.namespace.kubectl("describe", "pod", f"{self.fullname}-0", check=False), self.logs(check=False)]
            raise AssertionError("\n".join([str(error), *seen])) from error

    def test(self):
        done = helm("test", self.name, "--namespace", self.namespace.name, "--logs", "--timeout", f"{DEADLINE}s", check=False,
                    version=self.helm_version)
        if done.returncode != 0:
            raise AssertionError(f"helm test failed\n{done.stdout}{done.stderr}\n{self.logs(check=False)}")
        return done.stdout

    def logs(self, **options):
        return self.namespace.kubectl("logs", f"{self.fullname}-0", **options)

    def pod(self):
        return self.namespace.get("pod", f"{self.fullname}-0")

    def metrics(self):
        """The text of /metrics, through the API server."""
        admin = self.namespace.get("service", f"{self.fullname}-admin")["spec"]["ports"][0]["appProtocol"]
        return kubectl("get", "--raw", f"/api/v1/namespaces/{self.namespace.name}/services/{admin}:{self.fullname}-admin:admin/proxy/metrics")

    def _test_pod(self, door):
        """The pod of `helm test` that goes through this door, with that container alone. Charts of earlier commits call
        pods and containers otherwise, so it is known by the flag that names the door."""
        flag = {"http": "--url=", "grpc": "--address="}[door]
        for pod in yaml.safe_load_all(helm("get", "hooks", self.name, "--namespace", self.namespace.name)):
            for container in pod["spec"]["containers"]:
                if "check" in container["command"] and any(part.startswith(flag) for part in container["command"]):
                    pod["spec"]["containers"] = [container]
                    return pod
        raise AssertionError(f"no pod of helm test goes through {door}")

    def start_client(self, name, door, *arguments, mounts=None):
        """Starts a pod that runs `refundctl ARGUMENTS` with the doors, authorities and identity that `helm test` has, and
        the Secrets `mounts`, a mapping from name to path; by default the one with the webhooks' secrets."""
        pod = self._test_pod(door)
        (container,) = pod["spec"]["containers"]
        given = [part for part in container["command"] if part.startswith(("--url", "--address", "--ca", "--cert", "--key", "--token", "--server"))]
        container["command"] = ["/usr/bin/refundctl", *arguments, *given]
        for secret, path in (mounts or {"refund-relay-webhooks": "/secrets"}).items():
            volume = {"name": f"mounted-{secret}", "secret": {"secretName": secret, "defaultMode": 0o440}}
            pod["spec"].setdefault("volumes", []).append(volume)
            container.setdefault("volumeMounts", []).append({"name": volume["name"], "mountPath": path, "readOnly": True})
        pod["metadata"] = {"name": name, "labels": pod["metadata"]["labels"]}
        self.namespace.apply(pod)
        return Client(self.namespace, name)

    def run_client(self, name, door, *arguments, exit_codes=(0,)):
        """The same, to its end: its output as JSON objects."""
        client = self.start_client(name, door, *arguments, "--output=json")
        try:
            return client.finish(exit_codes)
        finally:
            client.delete()

    def send(self, name="sender", secret="webhook-secret", exit_codes=(0,)):
        """Posts one fresh signed webhook through the Service: the answer."""
        lines = self.run_client(name, "http", "send", "--sample=pass", "--unique", f"--secret-file=/secrets/{secret}", exit_codes=exit_codes)
        return next(line for line in lines if line["kind"] == "answer")

    def history(self, name="reader"):
        """All events, read through the Service from the beginning."""
        lines = self.run_client(name, "grpc", "tail", "--name=helm-test", "--from=earliest", "--until-caught-up", "--timeout=60s")
        return [line for line in lines if line["kind"] == "event"]


class Client:
    """A pod that runs refundctl."""

    def __init__(self, namespace, name):
        self.namespace, self.name = namespace, name

    def lines(self):
        """What it has printed so far that is JSON."""
        text = self.namespace.kubectl("logs", self.name, check=False)
        return [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]

    def wait_line(self, what, matches, deadline=DEADLINE):
        return wait_for(f"{self.name}: {what}", lambda: next((line for line in self.lines() if matches(line)), None), deadline)

    def finish(self, exit_codes=(0,), deadline=DEADLINE):
        def ended():
            state = self.namespace.get("pod", self.name)["status"]
            return state if state["phase"] in ("Succeeded", "Failed") else None

        status = wait_for(f"the end of {self.name}", ended, deadline)
        code = status["containerStatuses"][0]["state"]["terminated"]["exitCode"]
        if code not in exit_codes:
            raise AssertionError(f"{self.name} ended with {code}:\n{self.namespace.kubectl('logs', self.name, check=False)}")
        return self.lines()

    def delete(self):
        self.namespace.kubectl("delete", "pod", self.name, "--wait", "--grace-period", "1", "--ignore-not-found")


def sets(values, prefix=""):
    """The values as `--set-json` arguments, leaf by leaf, so that they are merged into files."""
    out = []
    for key, value in values.items():
        if isinstance(value, dict) and value:
            out += sets(value, f"{prefix}{key}.")
        else:
            out += ["--set-json", f"{prefix}{key}={json.dumps(value)}"]
    return out
