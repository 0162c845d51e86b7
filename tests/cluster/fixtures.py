"""What the values files of the chart refer to: Secrets, ConfigMaps, keys made for one run."""

import json
import tempfile

import cluster  # sets the path for what follows
from authority import Authority


def put_fixtures(namespace, fullname="refund-relay"):
    """Everything that one of ci/*-values.yaml names, but what a controller of the cluster would make."""
    namespace.put_secret("refund-relay-webhooks", more={
        "webhook-secret": cluster.SECRET + "\n", "webhook-secret-old": "an older secret\n", "webhook-basic": "vendor:password\n",
    })
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(folder)
        hosts = [f"{fullname}-{door}.{namespace.name}.svc" for door in ("webhooks", "grpc", "admin")]
        put_certificate(namespace, authority, "refund-relay-server-tls", hosts)
        put_certificate(namespace, authority, "refund-relay-helm-test-tls", ["helm-test.internal"])
        namespace.put_secret("refund-relay-client-ca", more={"ca.crt": authority.pem})
    namespace.put_secret("refund-relay-helm-test-token", token=cluster.TOKEN + "\n")
    policy = {"subscribers": {"helm-test": {"certificates": ["dns:helm-test.internal"], "events": "all"}}}
    namespace.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "refund-relay-team-policy"},
                     "data": {"policy.json": json.dumps(policy)}})
    for name in ("refund-relay-log", "refund-relay-backups"):
        namespace.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": {
            "accessModes": ["ReadWriteOncePod"], "resources": {"requests": {"storage": "64Mi"}}}})


def put_certificate(namespace, authority, name, hosts):
    certificate, key = authority.issue(",".join(f"DNS:{host}" for host in hosts))
    namespace.put_secret(name, kind="kubernetes.io/tls", more={"tls.crt": certificate, "tls.key": key, "ca.crt": authority.pem})


def issue_like_cert_manager(namespace, objects):
    """Puts the Secrets that cert-manager would, for each Certificate that the chart rendered."""
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(folder)
        for doc in objects:
            if doc["kind"] == "Certificate":
                put_certificate(namespace, authority, doc["spec"]["secretName"], doc["spec"]["dnsNames"])
