"""What the templates promise, one promise a test. The templates are rendered by Helm itself."""

import json
import re
import tempfile
import unittest

import yaml

from rendering import CHART, MINIMAL, NAMESPACE, VALUES_FILES, chart_copy, flags, kinds, minimal, one, pod_spec, render, render_file, server
from rendering import test_container as container_of_test
from rendering import test_pod as pod_of_test
from rendering import test_pods as pods_of_test


def ci(name):
    return render_file(CHART / "ci" / f"{name}-values.yaml")


class PodTest(unittest.TestCase):
    def test_one_replica_that_is_replaced_without_an_order(self):
        spec = one(ci("minimal"), "StatefulSet")["spec"]
        self.assertEqual(1, spec["replicas"])
        self.assertEqual("Parallel", spec["podManagementPolicy"])
        self.assertEqual("refund-relay-headless", spec["serviceName"])

    def test_the_claim_is_kept_and_lets_one_pod_in(self):
        spec = one(ci("minimal"), "StatefulSet")["spec"]
        self.assertEqual({"whenDeleted": "Retain", "whenScaled": "Retain"}, spec["persistentVolumeClaimRetentionPolicy"])
        self.assertEqual(["ReadWriteOncePod"], spec["volumeClaimTemplates"][0]["spec"]["accessModes"])

    def test_what_kubernetes_never_changes_holds_no_version(self):
        spec = one(ci("full"), "StatefulSet")["spec"]
        self.assertNotIn("volumeClaimTemplates", spec)  # it has a claim of its own
        claim = one(ci("minimal"), "StatefulSet")["spec"]["volumeClaimTemplates"][0]
        self.assertNotRegex(json.dumps(claim["metadata"]), r"version|chart|\d+\.\d+")

    def test_a_new_version_of_the_chart_alone_restarts_nothing(self):
        for path in VALUES_FILES:
            template = one(render_file(path), "StatefulSet")["spec"]["template"]
            self.assertNotIn("helm.sh/chart", json.dumps(template))

    def test_pod_security_restricted(self):
        for path in VALUES_FILES:
            objects = render_file(path)
            for spec in (pod_spec(objects), *(pod["spec"] for pod in pods_of_test(objects))):
                self.assertTrue(spec["securityContext"]["runAsNonRoot"])
                self.assertEqual("RuntimeDefault", spec["securityContext"]["seccompProfile"]["type"])
                for container in (part for part in spec["containers"] if "localhost/refund-relay" in part["image"]):
                    security = container["securityContext"]
                    self.assertFalse(security["allowPrivilegeEscalation"])
                    self.assertTrue(security["readOnlyRootFilesystem"])
                    self.assertEqual(["ALL"], security["capabilities"]["drop"])

    def test_the_volume_is_writable_for_the_servers_group(self):
        self.assertEqual(65532, pod_spec(ci("minimal"))["securityContext"]["fsGroup"])

    def test_grace_period_is_drain_and_reserve(self):
        self.assertEqual(45, pod_spec(ci("minimal"))["terminationGracePeriodSeconds"])
        objects = minimal(drain={"delaySeconds": 1, "timeoutSeconds": 100, "reserveSeconds": 30})
        self.assertEqual(131, pod_spec(objects)["terminationGracePeriodSeconds"])
        self.assertEqual(("1s", "100s"), (flags(server(objects))["drain_delay"], flags(server(objects))["drain_timeout"]))

    def test_no_pre_stop_and_no_disruption_budget(self):
        for path in VALUES_FILES:
            self.assertNotIn("lifecycle", server(render_file(path)))
            self.assertNotIn("PodDisruptionBudget", kinds(render_file(path)))

    def test_probes_leave_storage_out_and_speak_tls_where_admin_does(self):
        container = server(ci("minimal"))
        self.assertEqual("/livez", container["livenessProbe"]["httpGet"]["path"])
        self.assertEqual("/readyz?exclude=storage", container["readinessProbe"]["httpGet"]["path"])
        self.assertEqual("HTTP", container["readinessProbe"]["httpGet"]["scheme"])
        self.assertNotIn("startupProbe", container)
        self.assertEqual("HTTPS", server(ci("tls-existing-secret"))["livenessProbe"]["httpGet"]["scheme"])
        self.assertEqual("/livez", server(ci("full"))["startupProbe"]["httpGet"]["path"])

    def test_no_token_of_the_service_account(self):
        objects = ci("minimal")
        self.assertFalse(pod_spec(objects)["automountServiceAccountToken"])
        self.assertFalse(one(objects, "ServiceAccount")["automountServiceAccountToken"])
        for pod in pods_of_test(objects):
            self.assertFalse(pod["spec"]["automountServiceAccountToken"])
        self.assertTrue(pod_spec(minimal(serviceAccount={"automount": True}))["automountServiceAccountToken"])

    def test_no_variables_of_services(self):
        # A Service named refund-relay would give REFUND_RELAY_PORT, which the server refuses as an unknown setting.
        self.assertIs(False, pod_spec(ci("minimal"))["enableServiceLinks"])
        self.assertEqual({False}, {pod["spec"]["enableServiceLinks"] for pod in pods_of_test(ci("minimal"))})

    def test_image_is_the_app_version_or_the_digest(self):
        app_version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
        self.assertEqual(f"localhost/refund-relay:{app_version}", server(ci("minimal"))["image"])
        pinned = minimal(image={"repository": "registry.example.com:5000/team/refund-relay", "tag": "latest", "digest": "sha256:" + "0" * 64})
        self.assertEqual("registry.example.com:5000/team/refund-relay@sha256:" + "0" * 64, server(pinned)["image"])
        self.assertRegex(server(ci("full"))["image"], "^localhost/refund-relay@sha256:0123")
        self.assertEqual(server(ci("full"))["image"], container_of_test(ci("full"), "grpc")["image"])

    def test_what_platforms_ask_for_arrives(self):
        spec = pod_spec(ci("full"))
        for key in ("imagePullSecrets", "nodeSelector", "tolerations", "affinity", "topologySpreadConstraints", "dnsConfig",
                    "hostAliases", "priorityClassName", "schedulerName", "runtimeClassName", "initContainers"):
            self.assertTrue(spec.get(key), key)
        self.assertEqual(["refund-relay", "tail"], [part["name"] for part in spec["containers"]])
        container = server(ci("full"))
        self.assertEqual("--log_level=warning", container["args"][-1])
        self.assertEqual([{"name": "TZ", "value": "UTC"}], container["env"])
        self.assertTrue(container["envFrom"])
        self.assertEqual("512Mi", container["resources"]["limits"]["memory"])
        labels = one(ci("full"), "StatefulSet")["spec"]["template"]["metadata"]
        self.assertEqual("money", labels["labels"]["example.com/tier"])
        self.assertEqual("payments", labels["labels"]["team"])
        self.assertEqual("json", labels["annotations"]["example.com/logs"])

    def test_pod_labels_cannot_break_the_selector(self):
        objects = minimal(podLabels={"app.kubernetes.io/component": "mine"}, commonLabels={"app.kubernetes.io/name": "mine"})
        spec = one(objects, "StatefulSet")["spec"]
        self.assertLessEqual(spec["selector"]["matchLabels"].items(), spec["template"]["metadata"]["labels"].items())

    def test_labels_of_values_override_none_of_the_chart(self):
        mine = {"app.kubernetes.io/instance": "mine", "app.kubernetes.io/component": "mine", "helm.sh/chart": "mine", "team": "payments"}
        values = {"commonLabels": mine, "admin": {"service": {"labels": mine}}, "monitoring": {"serviceMonitor": {"enabled": True}}}
        objects = minimal(**values)
        for doc in objects:
            labels = doc["metadata"]["labels"]
            self.assertEqual(("refund-relay", "payments"), (labels["app.kubernetes.io/instance"], labels["team"]), doc["kind"])
            self.assertRegex(labels["helm.sh/chart"], "^refund-relay-")
        admin = one(objects, "Service", "refund-relay-admin")["metadata"]["labels"]
        self.assertLessEqual(one(objects, "ServiceMonitor")["spec"]["selector"]["matchLabels"].items(), admin.items())

    def test_storage_class(self):
        def storage_class(**persistence):
            return one(minimal(persistence=persistence), "StatefulSet")["spec"]["volumeClaimTemplates"][0]["spec"].get("storageClassName")

        self.assertEqual((None, "", "fast"), (storage_class(), storage_class(storageClass="-"), storage_class(storageClass="fast")))

    def test_volumes_and_mounts_fit_together(self):
        for path in VALUES_FILES:
            objects = render_file(path)
            claims = one(objects, "StatefulSet")["spec"].get("volumeClaimTemplates", [])
            specs = [(pod_spec(objects), [part["metadata"]["name"] for part in claims])]
            for spec, more in specs + [(pod["spec"], []) for pod in pods_of_test(objects)]:
                volumes = {part["name"] for part in spec.get("volumes", [])} | set(more)
                mounts = {part["name"] for container in spec["containers"] for part in container.get("volumeMounts", [])}
                self.assertEqual(volumes, mounts, path.name)

    def test_names_stay_short_enough_for_labels_and_services(self):
        objects = render(CHART / "ci" / "minimal-values.yaml", release="r" * 53)
        for doc in objects:
            self.assertLessEqual(len(doc["metadata"]["name"]), 63, doc["kind"])
        self.assertLessEqual(len(one(objects, "StatefulSet")["metadata"]["name"]), 52)


class FlagsTest(unittest.TestCase):
    def test_numbers_are_written_as_people_write_them(self):
        given = flags(server(ci("basic")))
        self.assertEqual(("134217728", "500", "false", "2160h"), tuple(
            given[name] for name in ("live_window_bytes", "max_streams", "grpc_reflection", "retention_age")))

    def test_secret_files_are_the_mounted_keys(self):
        container = server(ci("basic"))
        self.assertEqual(
            "/etc/refund-relay/webhook-signature/webhook-secret,/etc/refund-relay/webhook-signature/webhook-secret-old",
            flags(container)["webhook_secret_files"])
        self.assertEqual("/etc/refund-relay/webhook-basic/webhook-basic", flags(container)["webhook_basic_files"])

    def test_every_path_of_a_flag_is_mounted(self):
        for path in VALUES_FILES:
            objects = render_file(path)
            for container in (server(objects), *(pod["spec"]["containers"][0] for pod in pods_of_test(objects))):
                mounts = [part["mountPath"] + "/" for part in container.get("volumeMounts", [])]
                if container == server(objects) and pod_spec(objects)["automountServiceAccountToken"]:
                    mounts.append("/var/run/secrets/kubernetes.io/serviceaccount/")
                for name, value in flags(container).items():
                    for part in value.split(","):
                        if part.startswith("/"):
                            self.assertTrue(any((part + "/").startswith(mount) for mount in mounts), f"{path.name}: --{name}={part}")

    def test_mounted_secrets_follow_a_change(self):
        for path in VALUES_FILES:
            for mount in server(render_file(path))["volumeMounts"]:
                self.assertNotIn("subPath", mount)

    def test_plain_text_is_said(self):
        self.assertEqual("true", flags(server(ci("minimal")))["allow_insecure_grpc"])
        self.assertNotIn("allow_insecure_grpc", flags(server(ci("tls-existing-secret"))))

    def test_doors_listen_where_probes_and_services_look(self):
        container = server(minimal(listenHost="[::]", admin={"port": 9091}))
        self.assertEqual("[::]:9091", flags(container)["admin_address"])
        self.assertIn({"name": "admin", "containerPort": 9091}, container["ports"])

    def test_backups_go_to_the_volume_that_was_named(self):
        container = server(ci("full"))
        self.assertEqual(("6h", "28"), (flags(container)["backup_interval"], flags(container)["backup_keep"]))
        self.assertIn({"name": "backups", "mountPath": flags(container)["backup_dir"]}, container["volumeMounts"])


class DoorsTest(unittest.TestCase):
    def ports(self, objects, name):
        return one(objects, "Service", name)["spec"]["ports"][0]

    def test_services_of_each_door(self):
        objects = ci("minimal")
        self.assertEqual("http", self.ports(objects, "refund-relay-webhooks")["appProtocol"])
        self.assertEqual("kubernetes.io/h2c", self.ports(objects, "refund-relay-grpc")["appProtocol"])
        self.assertEqual("kubernetes.io/h2c", self.ports(objects, "refund-relay-headless")["appProtocol"])
        self.assertEqual("None", one(objects, "Service", "refund-relay-headless")["spec"]["clusterIP"])
        self.assertEqual("https", self.ports(ci("tls-existing-secret"), "refund-relay-grpc")["appProtocol"])

    def test_services_select_the_server_and_not_the_test(self):
        objects = ci("minimal")
        labels = one(objects, "StatefulSet")["spec"]["template"]["metadata"]["labels"]
        for service in (doc for doc in objects if doc["kind"] == "Service"):
            self.assertLessEqual(service["spec"]["selector"].items(), labels.items())
            self.assertFalse(service["spec"]["selector"].items() <= pod_of_test(objects, "grpc")["metadata"]["labels"].items())

    def test_load_balancer_and_node_port(self):
        objects = ci("load-balancer")
        webhooks = one(objects, "Service", "refund-relay-webhooks")["spec"]
        self.assertEqual(("LoadBalancer", "Local", 443), (webhooks["type"], webhooks["externalTrafficPolicy"], webhooks["ports"][0]["port"]))
        self.assertEqual(30051, self.ports(objects, "refund-relay-grpc")["nodePort"])

    def test_certificates_name_the_services(self):
        spec = one(ci("cert-manager"), "Certificate", "refund-relay-grpc")["spec"]
        self.assertEqual("refund-relay-grpc-tls", spec["secretName"])
        for name in ("refund-relay-grpc.refunds.svc", "*.refund-relay-headless.refunds.svc.cluster.local", "refunds.example.com"):
            self.assertIn(name, spec["dnsNames"])
        volume = next(part for part in pod_spec(ci("cert-manager"))["volumes"] if part["name"] == "tls-grpc")
        self.assertEqual("refund-relay-grpc-tls", volume["secret"]["secretName"])

    def test_routes_let_only_the_named_paths_through(self):
        objects = ci("gateway-api")
        match = one(objects, "HTTPRoute")["spec"]["rules"][0]["matches"][0]
        self.assertEqual({"path": {"type": "Exact", "value": "/webhooks/refund"}}, match)
        services = [part["method"]["service"] for part in one(objects, "GRPCRoute")["spec"]["rules"][0]["matches"]]
        self.assertEqual(["refundrelay.v1.RefundEventService", "grpc.health.v1.Health"], services)

    def test_envoy_gateway_does_not_cut_streams(self):
        spec = one(ci("gateway-api"), "BackendTrafficPolicy")["spec"]
        self.assertEqual("0s", spec["timeout"]["http"]["requestTimeout"])
        self.assertEqual(10000, spec["circuitBreaker"]["maxParallelRequests"])
        self.assertEqual(one(ci("gateway-api"), "GRPCRoute")["metadata"]["name"], spec["targetRefs"][0]["name"])

    def test_the_gateway_speaks_tls_to_doors_that_do(self):
        names = {doc["spec"]["targetRefs"][0]["name"] for doc in ci("gateway-api-tls") if doc["kind"] == "BackendTLSPolicy"}
        self.assertEqual({"refund-relay-webhooks", "refund-relay-grpc"}, names)

    def test_ingress_has_the_users_annotations(self):
        objects = ci("ingress")
        self.assertEqual("h2", one(objects, "Ingress", "refund-relay-grpc")["metadata"]["annotations"]["haproxy.org/server-proto"])
        path = one(objects, "Ingress", "refund-relay-webhooks")["spec"]["rules"][0]["http"]["paths"][0]
        self.assertEqual(("Exact", "/webhooks/refund"), (path["pathType"], path["path"]))
        paths = one(objects, "Ingress", "refund-relay-grpc")["spec"]["rules"][0]["http"]["paths"]
        services = one(ci("gateway-api"), "GRPCRoute")["spec"]["rules"][0]["matches"]
        self.assertEqual([f"/{part['method']['service']}" for part in services], [part["path"] for part in paths])

    def test_network_policy_in_and_out(self):
        spec = one(ci("minimal"), "NetworkPolicy")["spec"]
        self.assertEqual(["Ingress", "Egress"], spec["policyTypes"])
        self.assertEqual([], spec["egress"])
        by_port = {rule["ports"][0]["port"]: rule.get("from") for rule in spec["ingress"]}
        self.assertEqual({"webhooks": None, "grpc": None, "admin": [{"namespaceSelector": {}}]}, by_port)
        limited = one(ci("gateway-api"), "NetworkPolicy")["spec"]["ingress"]
        test_labels = pod_of_test(ci("gateway-api"), "grpc")["metadata"]["labels"]
        for rule in (part for part in limited if part["ports"][0]["port"] != "admin"):
            self.assertLessEqual(rule["from"][-1]["podSelector"]["matchLabels"].items(), test_labels.items())
        self.assertEqual(53, one(ci("full"), "NetworkPolicy")["spec"]["egress"][0]["ports"][0]["port"])

    def test_no_secret_is_made(self):
        for path in VALUES_FILES:
            self.assertNotIn("Secret", kinds(render_file(path)))


class PolicyTest(unittest.TestCase):
    def test_the_policy_is_the_values(self):
        given = yaml.safe_load((CHART / "ci" / "mutual-tls-policy-values.yaml").read_text())["accessPolicy"]["policy"]
        rendered = one(ci("mutual-tls-policy"), "ConfigMap")["data"]["access-policy.json"]
        self.assertEqual(given, json.loads(rendered))

    def test_mutual_tls(self):
        given = flags(server(ci("mutual-tls-policy")))
        self.assertEqual("true", given["grpc_tls_require_client_cert"])
        self.assertEqual("/etc/refund-relay/client-ca/ca.crt", given["grpc_tls_client_ca_file"])
        self.assertEqual("false", flags(server(ci("token-policy")))["grpc_tls_require_client_cert"])

    def test_a_policy_of_somebody_else(self):
        self.assertNotIn("ConfigMap", kinds(ci("existing-policy")))
        self.assertEqual("/etc/refund-relay/access-policy/policy.json", flags(server(ci("existing-policy")))["access_policy_file"])


class MonitoringTest(unittest.TestCase):
    def test_the_monitor_finds_the_admin_service(self):
        objects = ci("monitoring")
        spec = one(objects, "ServiceMonitor")["spec"]
        labels = one(objects, "Service", "refund-relay-admin")["metadata"]["labels"]
        self.assertLessEqual(spec["selector"]["matchLabels"].items(), labels.items())
        self.assertEqual([NAMESPACE], spec["namespaceSelector"]["matchNames"])
        self.assertEqual("refund-relay", labels[spec["jobLabel"]])

    def test_the_monitor_checks_the_certificate_of_the_admin_port(self):
        def endpoint(name, **monitor):
            values = {"monitoring": {"serviceMonitor": {"enabled": True, **monitor}}}
            return one(render(CHART / "ci" / f"{name}-values.yaml", values=values), "ServiceMonitor")["spec"]["endpoints"][0]

        self.assertNotIn("tlsConfig", endpoint("minimal"))
        for name, secret in (("tls-existing-secret", "refund-relay-server-tls"), ("cert-manager", "refund-relay-admin-tls")):
            wanted = {"serverName": "refund-relay-admin.refunds.svc", "ca": {"secret": {"name": secret, "key": "ca.crt"}}}
            self.assertEqual(("https", wanted), (endpoint(name)["scheme"], endpoint(name)["tlsConfig"]))
        own = {"insecureSkipVerify": True}
        self.assertEqual(own, endpoint("tls-existing-secret", tlsConfig=own)["tlsConfig"])

    def test_every_alert_says_where_the_runbook_is_and_whose_it_is(self):
        groups = one(ci("monitoring"), "PrometheusRule")["spec"]["groups"]
        self.assertEqual("ours", groups[-1]["name"])
        for rule in (rule for group in groups[:-1] for rule in group["rules"] if "alert" in rule):
            self.assertRegex(rule["annotations"]["runbook_url"], r"^https://.*/docs/operations.md#[a-z]+$")
            self.assertEqual("payments", rule["labels"]["team"])
            self.assertIn(rule["labels"]["severity"], ("critical", "warning", "info"))

    def test_the_alerts_are_those_of_the_file(self):
        file = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"]
        rendered = one(minimal(monitoring={"prometheusRule": {"enabled": True}}), "PrometheusRule")["spec"]["groups"]
        ours = 'job="refund-relay", namespace="refunds", service="refund-relay-admin"'
        self.assertEqual([[rule["expr"].replace('job="refund-relay"', ours) for rule in group["rules"]] for group in file],
                         [[rule["expr"] for rule in group["rules"]] for group in rendered])
        renamed = render(CHART / "ci" / "monitoring-values.yaml", values={"nameOverride": "refunds"})
        text = json.dumps(one(renamed, "PrometheusRule")["spec"]["groups"][: len(file)])
        self.assertNotIn('job=\\"refund-relay\\"', text)
        self.assertIn('job=\\"refunds\\"', text)
        self.assertNotIn("RUNBOOK_URL", text)


    def test_thresholds_are_put_in_by_name(self):
        def expression(values):
            groups = one(render(CHART / "ci" / "monitoring-values.yaml", values=values), "PrometheusRule")["spec"]["groups"]
            return next(rule["expr"] for group in groups for rule in group["rules"] if rule.get("alert") == "RefundRelaySilence")

        self.assertIn("86400 # silenceSeconds", expression({}))
        self.assertIn("7200 # silenceSeconds", expression({"monitoring": {"prometheusRule": {"thresholds": {"silenceSeconds": 7200}}}}))
        self.assertIn("0.5 # silenceSeconds", expression({"monitoring": {"prometheusRule": {"thresholds": {"silenceSeconds": 0.5}}}}))

    def test_the_dashboards_are_those_of_the_files(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = chart_copy(folder)
            content = '{\n  "panels": [{\n    "title": "Refunds", "expr": "rate(x{job=\\"y\\"}[5m]) {{ legend }}"}]\n}\n'
            for old in copy.glob("files/dashboard*.json"):
                old.unlink()
            (copy / "files" / "dashboard-overview.json").write_text(content)
            values = {"monitoring": {"dashboard": {"enabled": True}}}
            dashboard = one(render(MINIMAL, values=values, chart=copy), "ConfigMap", "refund-relay-dashboard")
        self.assertEqual({"refund-relay-dashboard-overview.json": content}, dashboard["data"])
        self.assertEqual("1", dashboard["metadata"]["labels"]["grafana_dashboard"])


    def test_each_release_has_a_dashboard_of_its_own(self):
        def dashboard(release):
            objects = render(MINIMAL, release=release, values={"monitoring": {"dashboard": {"enabled": True}}})
            return json.loads(next(iter(one(objects, "ConfigMap")["data"].values())))

        file = json.loads((CHART / "files" / "dashboard.json").read_text())
        first, second = dashboard("refund-relay"), dashboard("refund-relay-2")
        self.assertNotEqual(first["uid"], second["uid"])
        self.assertLessEqual(len(first["uid"]), 40)  # the most that Grafana takes
        self.assertEqual(f"{file['title']} (refunds/refund-relay)", first["title"])
        self.assertEqual(f"{file['title']} (refunds/refund-relay-2)", second["title"])
        self.assertEqual({**file, "uid": None, "title": None}, {**first, "uid": None, "title": None})


class HelmTestTest(unittest.TestCase):
    def test_reads_only(self):
        for path in VALUES_FILES:
            if path.name == "trial-values.yaml":
                continue
            for pod in pods_of_test(render_file(path)):
                (container,) = pod["spec"]["containers"]  # Helm 3 shows the logs of such a pod only
                self.assertEqual(["/usr/bin/refundctl", "check"], container["command"][:2], path.name)

    def test_posts_a_sample_only_if_told(self):
        command = container_of_test(ci("trial"), "post")["command"]
        self.assertEqual(["/usr/bin/refundctl", "send", "--sample=pass"], command[:3])

    def test_shows_the_identity_that_it_was_given(self):
        certificate = flags(container_of_test(ci("mutual-tls-policy"), "grpc"))
        self.assertEqual("/etc/refund-relay/identity/tls.crt", certificate["cert_file"])
        self.assertNotIn("token_file", certificate)
        token = flags(container_of_test(ci("token-policy"), "grpc"))
        self.assertEqual("/etc/refund-relay/identity/token", token["token_file"])
        self.assertNotIn("cert_file", token)

    def test_sees_the_authority_and_not_the_servers_key(self):
        for pod in pods_of_test(ci("tls-existing-secret")):
            (volume,) = pod["spec"]["volumes"]
            self.assertEqual([{"key": "ca.crt", "path": "ca.crt"}], volume["secret"]["items"])
            self.assertTrue(volume["secret"]["optional"])  # or the pod waits for ever, and nobody says for what

    def test_trusts_the_systems_authorities_if_told(self):
        objects = render(CHART / "ci" / "tls-existing-secret-values.yaml", values={"tests": {"ca": {"system": True}}})
        for pod in pods_of_test(objects):
            self.assertNotIn("volumes", pod["spec"])
            self.assertIn("--tls", pod["spec"]["containers"][0]["command"])
            self.assertNotIn("ca_file", flags(pod["spec"]["containers"][0]))

    def test_can_be_switched_off(self):
        self.assertFalse([doc for doc in minimal(tests={"enabled": False}) if doc["kind"] == "Pod"])


class ValuesTest(unittest.TestCase):
    def test_no_secret_of_any_kind_is_a_value(self):
        text = (CHART / "values.yaml").read_text()
        names = re.findall(r"^ *(\w+):", text, re.MULTILINE)
        self.assertFalse([name for name in names if re.search(r"(?i)password|secret(value)?$|token$", name)
                          and name not in ("existingSecret", "token")], names)


if __name__ == "__main__":
    unittest.main()
