"""Wrong values: refused, in words that name the value and the way out."""

import tempfile
import unittest

import yaml

from rendering import HELMS, MINIMAL, Refused, chart_copy, one, render

TLS = {"tls": {"existingSecret": "server-tls"}, "allowInsecure": False}

ISSUER = {"service_account_issuer": "https://issuer"}
KEYS = {**ISSUER, "service_account_jwks_url": "https://issuer/keys"}
TOKEN_FILE = {"service_account_jwks_token_file": "/var/run/secrets/kubernetes.io/serviceaccount/token"}
POLICY = {"policy": {"subscribers": {}}}
OUT = {"egress": [{}]}

# What is set over ci/minimal-values.yaml, and what the message must hold.
BY_SCHEMA = (
    ({"replicaCount": 2}, ("replicaCount", "must be 1")),
    ({"replicas": 1}, ("additional properties 'replicas' not allowed",)),
    ({"grpc": {"allowinsecure": True}}, ("/grpc", "additional properties 'allowinsecure' not allowed")),
    ({"webhooks": {"secret": "s3cret"}}, ("/webhooks", "additional properties 'secret' not allowed")),
    ({"webhooks": {"port": 80}}, ("/webhooks/port", "minimum: got 80, want 1,024")),
    ({"image": {"digest": "sha256:123"}}, ("/image/digest", "does not match pattern")),
    ({"image": {"repository": "localhost/refund-relay:dev"}}, ("/image/repository", "does not match pattern")),
    ({"image": {"repository": "x@sha256:0"}}, ("/image/repository", "does not match pattern")),
    ({"networkPolicy": {"adminFrom": []}}, ("/networkPolicy/adminFrom", "minItems: got 0, want 1")),
    ({"nameOverride": "my.refunds"}, ("/nameOverride", "does not match pattern")),
    ({"image": {"pullPolicy": "Sometimes"}}, ("/image/pullPolicy", "'Always', 'IfNotPresent', 'Never'")),
    ({"persistence": {"size": "ten"}}, ("/persistence/size", "does not match pattern")),
    ({"persistence": {"accessModes": ["ReadWriteMany"]}}, ("/persistence/accessModes/0", "'ReadWriteOncePod', 'ReadWriteOnce'")),
    ({"drain": {"delaySeconds": "5s"}}, ("/drain/delaySeconds", "got string, want integer")),
    ({"drain": {"reserveSeconds": 1}}, ("/drain/reserveSeconds", "minimum")),
    ({"extraArgs": ["--drain_timeout", "300s"]}, ("/extraArgs/1", "does not match pattern")),
    ({"extraArgs": ["-drain_timeout=300s"]}, ("/extraArgs/0", "does not match pattern")),
    ({"config": {"retention-age": "1h"}}, ("/config", "additional properties 'retention-age' not allowed")),
    ({"config": {"retention_age": ["1h"]}}, ("/config/retention_age", "got array")),
    ({"accessPolicy": {"policy": {"subscriber": {}}}}, ("/accessPolicy/policy", "'subscriber' not allowed")),
    ({"accessPolicy": {"policy": {"subscribers": {"books": {"personaldata": True}}}}}, ("books", "'personaldata' not allowed")),
    ({"gatewayApi": {"grpc": {"services": []}}}, ("/gatewayApi/grpc/services", "minItems: got 0, want 1")),
    ({"tests": {"subscriberName": "Helm Test"}}, ("/tests/subscriberName", "does not match pattern")),
)
BY_TEMPLATE = (
    ({"webhooks": {"signature": {"existingSecret": ""}}}, ("without credentials for webhooks", "webhooks.signature.existingSecret")),
    ({"grpc": {"allowInsecure": False}}, ("plain text", "grpc.tls.existingSecret")),
    ({"grpc": {**TLS, "allowInsecure": True}}, ("exclude each other",)),
    ({"grpc": {"tls": {"clientCA": {"existingSecret": "ca"}}}}, ("grpc.tls.clientCA needs TLS",)),
    ({"grpc": {"tls": {"requireClientCertificate": False}}}, ("requireClientCertificate=false",)),
    ({"admin": {"tls": {"certManager": {"enabled": True}}}}, ("admin.tls.certManager.issuerRef is missing",)),
    ({"webhooks": {"tls": {"existingSecret": "a", "certManager": {"enabled": True}}}}, ("webhooks.tls", "exclude each other")),
    ({"image": {"tag": "latest"}}, ("image.tag must not be latest",)),
    ({"config": {"http_address": "0.0.0.0:80"}}, ("config.http_address", "webhooks.port")),
    ({"config": {"drain_delay": "1s"}}, ("config.drain_delay", "drain.delaySeconds")),
    ({"config": {"nogrpc_tls_require_client_cert": True}}, ("config.nogrpc_tls_require_client_cert", "grpc.tls.requireClientCertificate")),
    ({"config": {"retention": "1h"}}, ("config.retention: the server", "has no such flag", "refund-relay --help")),
    ({"config": {"flagfile": "/etc/flags"}}, ("config.flagfile", "has no such flag")),
    ({"config": {"nogrpc_reflection": True}}, ("config.nogrpc_reflection: write grpc_reflection: false",)),
    ({"extraArgs": ["--log_level=debug", "--drain_timeout=300s"]}, ("extraArgs: --drain_timeout=300s", "drain.timeoutSeconds")),
    ({"extraArgs": ["--drain-timeout 300s"]}, ("extraArgs: --drain-timeout 300s", "drain.timeoutSeconds")),
    ({"extraArgs": ["--noallow_insecure_grpc"]}, ("extraArgs: --noallow_insecure_grpc", "grpc.allowInsecure")),
    ({"extraArgs": ["--log=memory"]}, ("config.log=memory", "persistence.enabled=false")),
    ({"extraEnv": [{"name": "REFUND_RELAY_DATA_DIR", "value": "/tmp"}]}, ("extraEnv: REFUND_RELAY_DATA_DIR", "persistence")),
    ({"config": {"log": "memory"}}, ("config.log=memory", "persistence.enabled=false")),
    ({"backup": {"interval": "6h"}}, ("backup.volume",)),
    ({"backup": {"volume": {"emptyDir": {}}}}, ("backup.interval",)),
    ({"accessPolicy": {"policy": {"$schema": "x"}}}, ("accessPolicy.policy.subscribers is missing",)),
    ({"accessPolicy": {"policy": {"subscribers": {}}, "existingConfigMap": "x"}}, ("exclude each other",)),
    ({"gatewayApi": {"grpc": {"enabled": True}}}, ("gatewayApi.grpc.parentRefs is missing",)),
    ({"gatewayApi": {"envoyGateway": {"enabled": True}}}, ("gatewayApi.grpc.enabled=true",)),
    ({"gatewayApi": {"grpc": {"enabled": True, "parentRefs": [{"name": "x"}]}}, "grpc": {**TLS, "tls": {
        "existingSecret": "a", "clientCA": {"existingSecret": "ca"}}}}, ("certificates would not arrive", "TLSRoute")),
    ({"ingress": {"webhooks": {"enabled": True}}}, ("ingress.webhooks.hosts is missing",)),
    ({"monitoring": {"prometheusRule": {"enabled": True, "thresholds": {"patience": 1}}}}, ("thresholds.patience", "its head lists them")),
    ({"gatewayApi": {"backendTLS": {"enabled": True}}}, ("gatewayApi.backendTLS", "grpc.tls")),
    ({"grpc": {**TLS, "tls": {"existingSecret": "a", "clientCA": {"existingSecret": "ca"}, "requireClientCertificate": False}}}, (
        "requireClientCertificate=false lets everybody in", "accessPolicy")),
    ({"backup": {"interval": "6h", "volume": {"emptyDir": {}}}, "config": {"log": "memory"}, "persistence": {"enabled": False}}, (
        "backup.interval", "config.log=memory")),
    ({"config": KEYS, "networkPolicy": OUT}, ("config.service_account_issuer needs accessPolicy",)),
    ({"config": ISSUER, "accessPolicy": POLICY}, ("needs the issuer's keys", "config.service_account_jwks_url")),
    ({"config": KEYS, "accessPolicy": POLICY}, ("config.service_account_jwks_url", "networkPolicy.egress")),
    ({"config": {**KEYS, **TOKEN_FILE}, "accessPolicy": POLICY, "networkPolicy": OUT}, (
        "config.service_account_jwks_token_file", "serviceAccount.automount=true")),
    ({"tests": {"ca": {"system": True, "existingSecret": "ca"}}}, ("tests.ca: system and existingSecret exclude each other",)),
    ({"fullnameOverride": "team.refunds"}, ("would be named team.refunds", "fullnameOverride")),
    ({"fullnameOverride": "1-refunds"}, ("would be named 1-refunds", "a letter first")),
    ({"admin": {"port": 8080}}, ("webhooks.port, grpc.port and admin.port", "three different ports")),
    ({"persistence": {"enabled": False, "existingClaim": "mine"}}, ("persistence.existingClaim", "exclude each other")),
    ({"grpc": {"service": {"extraSpec": {"selector": {"app": "x"}}}}}, ("grpc.service.extraSpec.selector", "a Service of your own")),
    ({"livenessProbe": {"httpGet": {"path": "/"}}}, ("livenessProbe.httpGet", "periods, time-outs and thresholds")),
    ({"extraVolumes": [{"name": "data", "emptyDir": {}}]}, ("extraVolumes: data", "Choose another")),
    ({"tests": {"existingSecret": "me"}}, ("tests.existingSecret", "grpc.tls")),
)


class RefusalsTest(unittest.TestCase):
    def check(self, cases):
        for version in HELMS:
            for values, words in cases:
                with self.subTest(values, helm=version):
                    with self.assertRaises(Refused) as caught:
                        render(MINIMAL, values=values, version=version)
                    for word in words:
                        self.assertIn(word, str(caught.exception))

    def test_by_the_schema(self):
        self.check(BY_SCHEMA)

    def test_by_the_templates(self):
        self.check(BY_TEMPLATE)

    def test_other_flags_and_variables_are_taken(self):
        render(MINIMAL, values={"config": {"retention_age": "1h"}, "extraArgs": ["--a_flag_of_tomorrow=1"],
                                "extraEnv": [{"name": "REFUND_RELAY_LOG_LEVEL", "value": "debug"}]})

    def test_keys_of_service_accounts_can_be_fetched_in_other_ways(self):
        mounts = [{"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]
        policy = {"accessPolicy": POLICY}
        render(MINIMAL, values={**policy, "config": KEYS, "networkPolicy": {"enabled": False}})
        render(MINIMAL, values={**policy, "config": {**KEYS, **TOKEN_FILE}, "networkPolicy": OUT, "extraVolumeMounts": mounts})

    def test_a_release_name_with_a_dot(self):
        with self.assertRaisesRegex(Refused, "would be named team.a-refund-relay, which Kubernetes takes for no Service"):
            render(MINIMAL, release="team.a")
        render(MINIMAL, release="team.a", values={"fullnameOverride": "team-a"})

    def test_objects_that_go_to_kubernetes_are_open(self):
        render(MINIMAL, values={"podSecurityContext": {"sysctls": []}, "resources": {"claims": []}, "global": {"x": 1}, "enabled": True})


class UpgradeTest(unittest.TestCase):
    """What the cluster has already comes from a file here; tests/cluster/test_history.py asks a real one."""

    LOOKUP = '(lookup "apps/v1" "StatefulSet" .Release.Namespace "")'

    def upgrade(self, values, chart_label="refund-relay-0.0.9", release="refund-relay"):
        installed = one(render(MINIMAL), "StatefulSet")
        installed["metadata"]["annotations"] = {"meta.helm.sh/release-name": release}
        installed["metadata"]["labels"]["helm.sh/chart"] = chart_label
        with tempfile.TemporaryDirectory() as folder:
            chart = chart_copy(folder)
            template = chart / "templates" / "_validate.tpl"
            self.assertIn(self.LOOKUP, template.read_text())
            template.write_text(template.read_text().replace(self.LOOKUP, '(.Files.Get "installed.yaml" | fromYaml)'))
            (chart / "installed.yaml").write_text(yaml.safe_dump({"items": [installed]}))
            return render(MINIMAL, values=values, chart=chart, upgrade=True)

    def test_names_that_stay_are_taken(self):
        self.upgrade({})
        self.upgrade({"fullnameOverride": "refund-relay", "nameOverride": "refund-relay"})

    def test_another_name_would_begin_with_an_empty_log(self):
        with self.assertRaises(Refused) as caught:
            self.upgrade({"fullnameOverride": "refunds"})
        for words in ("cannot rename a release", "StatefulSet is refund-relay ",
                      "--set fullnameOverride=refund-relay --set nameOverride=refund-relay",
                      "--set persistence.existingClaim=data-refund-relay-0"):
            self.assertIn(words, str(caught.exception))

    def test_other_selector_labels_would_leave_the_services_without_endpoints(self):
        with self.assertRaisesRegex(Refused, r"refund-relay \(app.kubernetes.io/name: refund\)"):
            self.upgrade({"nameOverride": "refund"})  # the release's name holds it, so the StatefulSet's stays

    def test_stateful_sets_of_others_do_not_count(self):
        self.upgrade({"fullnameOverride": "refunds"}, release="another")
        self.upgrade({"fullnameOverride": "refunds"}, chart_label="refund-relay-tools-1.0.0")


if __name__ == "__main__":
    unittest.main()
