{{/* What a schema cannot say, or not in words that help. Every template of an object that matters comes through here. */}}
{{- define "refund-relay.validate" -}}
{{- $v := .Values }}
{{- include "refund-relay.validateUpgrade" . }}
{{- if and (not $v.webhooks.signature.existingSecret) (not $v.webhooks.basic.existingSecret) }}
{{- fail "\n\nThe server does not start without credentials for webhooks. Make a Secret and name it:\n  kubectl create secret generic refund-relay-webhooks --from-file=webhook-secret=FILE\n  --set webhooks.signature.existingSecret=refund-relay-webhooks   (or webhooks.basic.existingSecret)\n" }}
{{- end }}
{{- $name := include "refund-relay.fullname" . }}
{{- if not (regexMatch "^[a-z]([a-z0-9-]*[a-z0-9])?$" $name) }}
{{- fail (printf "\n\nThe objects would be named %s, which Kubernetes takes for no Service: small letters, digits and dashes, a letter first. Give another release name, or fullnameOverride.\n" $name) }}
{{- end }}
{{- if ne 3 (len (uniq (list (int $v.webhooks.port) (int $v.grpc.port) (int $v.admin.port)))) }}
{{- fail "\n\nwebhooks.port, grpc.port and admin.port must be three different ports: the server listens on each.\n" }}
{{- end }}
{{- if and $v.persistence.existingClaim (not $v.persistence.enabled) }}
{{- fail "\n\npersistence.existingClaim and persistence.enabled=false exclude each other: name a claim, or none.\n" }}
{{- end }}
{{- include "refund-relay.validateOpenObjects" . }}
{{- range $door := list "webhooks" "grpc" "admin" }}
{{- $tls := (index $v $door).tls }}
{{- if and $tls.existingSecret $tls.certManager.enabled }}
{{- fail (printf "\n\n%s.tls: existingSecret and certManager.enabled exclude each other: choose who makes the certificate.\n" $door) }}
{{- end }}
{{- if and $tls.certManager.enabled (not $tls.certManager.issuerRef) }}
{{- fail (printf "\n\n%s.tls.certManager.issuerRef is missing: say who signs, such as {kind: ClusterIssuer, name: my-issuer}.\n" $door) }}
{{- end }}
{{- end }}
{{- $grpcTls := include "refund-relay.tlsSecret" (dict "root" . "door" "grpc") }}
{{- if and (not $grpcTls) (not $v.grpc.allowInsecure) }}
{{- fail "\n\nSubscribers would speak plain text. Give grpc.tls.existingSecret or grpc.tls.certManager, or say grpc.allowInsecure=true if whoever can listen on the network between pods may read refunds.\n" }}
{{- end }}
{{- if and $grpcTls $v.grpc.allowInsecure }}
{{- fail "\n\ngrpc.allowInsecure=true and grpc.tls exclude each other: take one of them away.\n" }}
{{- end }}
{{- if and $v.grpc.tls.clientCA.existingSecret (not $grpcTls) }}
{{- fail "\n\ngrpc.tls.clientCA needs TLS: give grpc.tls.existingSecret or grpc.tls.certManager, too.\n" }}
{{- end }}
{{- if and (not $v.grpc.tls.requireClientCertificate) (not $v.grpc.tls.clientCA.existingSecret) }}
{{- fail "\n\ngrpc.tls.requireClientCertificate=false says something only with grpc.tls.clientCA.existingSecret.\n" }}
{{- end }}
{{- if and (not $v.grpc.tls.requireClientCertificate) (not (include "refund-relay.policyConfigMap" .)) }}
{{- fail "\n\ngrpc.tls.requireClientCertificate=false lets everybody in, with a certificate or without. Give accessPolicy, which says who may come by token, or leave it true.\n" }}
{{- end }}
{{- if and $v.accessPolicy.policy $v.accessPolicy.existingConfigMap }}
{{- fail "\n\naccessPolicy: policy and existingConfigMap exclude each other.\n" }}
{{- end }}
{{- if and $v.accessPolicy.policy (not (hasKey $v.accessPolicy.policy "subscribers")) }}
{{- fail "\n\naccessPolicy.policy.subscribers is missing: the names stand below it.\n" }}
{{- end }}
{{- if and $v.tests.existingSecret (not $grpcTls) }}
{{- fail "\n\ntests.existingSecret: an identity is never shown in plain text, so it needs grpc.tls.\n" }}
{{- end }}
{{- if and (eq $v.image.tag "latest") (not $v.image.digest) }}
{{- fail "\n\nimage.tag must not be latest: nobody could say what runs, or roll back to it. Name a version, or better image.digest.\n" }}
{{- end }}
{{- if and $v.backup.interval (not $v.backup.volume) }}
{{- fail "\n\nbackup.interval needs backup.volume: where the backups go, such as {persistentVolumeClaim: {claimName: refund-backups}}.\n" }}
{{- end }}
{{- if and $v.backup.interval (eq (toString $v.config.log) "memory") }}
{{- fail "\n\nbackup.interval: there is nothing to back up with config.log=memory. Leave one of them out.\n" }}
{{- end }}
{{- if and $v.backup.volume (not $v.backup.interval) }}
{{- fail "\n\nbackup.volume without backup.interval would never be written: say how often, such as backup.interval=6h.\n" }}
{{- end }}
{{- if and (or (eq (toString $v.config.log) "memory") (has "--log=memory" $v.extraArgs)) $v.persistence.enabled }}
{{- fail "\n\nconfig.log=memory loses every event with the pod. If that is meant, say persistence.enabled=false as well.\n" }}
{{- end }}
{{- include "refund-relay.validateFlags" . }}
{{- include "refund-relay.validateServiceAccountTokens" . }}
{{- range $kind := list "webhooks" "grpc" }}
{{- $route := index $v.gatewayApi $kind }}
{{- if and $route.enabled (not $route.parentRefs) }}
{{- fail (printf "\n\ngatewayApi.%s.parentRefs is missing: name the Gateway, such as [{name: public, namespace: gateways}].\n" $kind) }}
{{- end }}
{{- $ingress := index $v.ingress $kind }}
{{- if and $ingress.enabled (not $ingress.hosts) }}
{{- fail (printf "\n\ningress.%s.hosts is missing: an Ingress without a host would take the path on every host.\n" $kind) }}
{{- end }}
{{- end }}
{{- if and $v.gatewayApi.grpc.enabled $v.grpc.tls.clientCA.existingSecret $v.grpc.tls.requireClientCertificate }}
{{- fail "\n\ngatewayApi.grpc: a Gateway ends TLS, so the subscribers' certificates would not arrive. Let it pass TLS through (a TLSRoute of your own), or take tokens: grpc.tls.requireClientCertificate=false.\n" }}
{{- end }}
{{- if and $v.gatewayApi.backendTLS.enabled (not $grpcTls) (not (include "refund-relay.tlsSecret" (dict "root" . "door" "webhooks"))) }}
{{- fail "\n\ngatewayApi.backendTLS is about doors that speak TLS, and none does: give grpc.tls or webhooks.tls, or leave it out.\n" }}
{{- end }}
{{- if and $v.gatewayApi.envoyGateway.enabled (not $v.gatewayApi.grpc.enabled) }}
{{- fail "\n\ngatewayApi.envoyGateway is about the GRPCRoute: it needs gatewayApi.grpc.enabled=true.\n" }}
{{- end }}
{{- if and $v.monitoring.dashboard.enabled (not (.Files.Glob "files/dashboard*.json")) }}
{{- fail "\n\nmonitoring.dashboard.enabled: this version of the chart carries no dashboard.\n" }}
{{- end }}
{{- if and $v.tests.ca.system $v.tests.ca.existingSecret }}
{{- fail "\n\ntests.ca: system and existingSecret exclude each other: choose whom the tests trust.\n" }}
{{- end }}
{{- if and $v.tests.postSample (not $v.tests.enabled) }}
{{- fail "\n\ntests.postSample needs tests.enabled=true.\n" }}
{{- end }}
{{- end }}

{{/* `config` holds flags that the server has and the chart does not set; `extraArgs` and `extraEnv` none that the chart sets, which
would win over it, or stand beside a grace period, a volume or a port that do not fit. */}}
{{- define "refund-relay.validateFlags" -}}
{{- $own := include "refund-relay.ownFlags" . | fromYaml }}
{{- $known := .Files.Get "files/flags.yaml" | fromYaml }}
{{- range $name, $_ := .Values.config }}
{{- include "refund-relay.refuseOwnFlag" (dict "place" (printf "config.%s" $name) "name" $name "own" $own) }}
{{- if not (hasKey $known $name) }}
{{- if eq (get $known (trimPrefix "no" $name)) "boolean" }}
{{- fail (printf "\n\nconfig.%s: write %s: false.\n" $name (trimPrefix "no" $name)) }}
{{- end }}
{{- fail (printf "\n\nconfig.%s: the server %s has no such flag; refund-relay --help lists them. One of another version goes into extraArgs.\n" $name $.Chart.AppVersion) }}
{{- end }}
{{- end }}
{{- range .Values.extraArgs }}
{{- $name := regexFind "^--[0-9A-Za-z_-]+" . | trimPrefix "--" | replace "-" "_" }}
{{- include "refund-relay.refuseOwnFlag" (dict "place" (printf "extraArgs: %s" .) "name" $name "own" $own) }}
{{- end }}
{{- range .Values.extraEnv }}
{{- if hasPrefix "REFUND_RELAY_" (toString .name) }}
{{- $name := trimPrefix "REFUND_RELAY_" .name | lower }}
{{- include "refund-relay.refuseOwnFlag" (dict "place" (printf "extraEnv: %s" .name) "name" $name "own" $own) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "refund-relay.refuseOwnFlag" -}}
{{- $flag := ternary .name (trimPrefix "no" .name) (hasKey .own .name) }}
{{- with get .own $flag }}
{{- fail (printf "\n\n%s: the chart sets --%s by itself. Use %s.\n" $.place $flag .) }}
{{- end }}
{{- end }}

{{/* Objects that go to Kubernetes as they are, but for the members that the chart writes itself: twice in a mapping or list, one would win. */}}
{{- define "refund-relay.validateOpenObjects" -}}
{{- $v := .Values }}
{{- range $door := list "webhooks" "grpc" }}
{{- range $key, $_ := (index $v $door).service.extraSpec }}
{{- if has $key (list "type" "selector" "ports") }}
{{- fail (printf "\n\n%s.service.extraSpec.%s: the chart sets it by itself. Use %s.service, or a Service of your own.\n" $door $key $door) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $probe := list "livenessProbe" "readinessProbe" "startupProbe" }}
{{- range $key, $_ := index $v $probe }}
{{- if has $key (list "httpGet" "exec" "tcpSocket" "grpc") }}
{{- fail (printf "\n\n%s.%s: the chart says what is asked. Give periods, time-outs and thresholds only.\n" $probe $key) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $v.extraVolumes }}
{{- if regexMatch "^(data|backups|webhook-signature|webhook-basic|tls-webhooks|tls-grpc|tls-admin|client-ca|access-policy)$" (toString .name) }}
{{- fail (printf "\n\nextraVolumes: %s is a name of the chart's. Choose another.\n" .name) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Tokens of service accounts are several settings that fit together. With half of them the server does not start, or can check none. */}}
{{- define "refund-relay.validateServiceAccountTokens" -}}
{{- $v := .Values }}
{{- if $v.config.service_account_issuer }}
{{- if not (include "refund-relay.policyConfigMap" .) }}
{{- fail "\n\nconfig.service_account_issuer needs accessPolicy, whose service_accounts say which account is which subscriber.\n" }}
{{- end }}
{{- if not (or $v.config.service_account_jwks_url $v.config.service_account_jwks_file) }}
{{- fail "\n\nconfig.service_account_issuer needs the issuer's keys: give config.service_account_jwks_url or config.service_account_jwks_file.\n" }}
{{- end }}
{{- end }}
{{- if and $v.config.service_account_jwks_url $v.networkPolicy.enabled (not $v.networkPolicy.egress) }}
{{- fail "\n\nconfig.service_account_jwks_url: networkPolicy.egress lets the server connect nowhere, so it could not fetch the keys. Let it reach DNS and the URL's server, as ci/service-account-tokens-values.yaml does, or say networkPolicy.enabled=false.\n" }}
{{- end }}
{{- range $flag := list "service_account_jwks_token_file" "service_account_jwks_ca_file" }}
{{- $file := toString (default "" (get $v.config $flag)) }}
{{- $mounted := $v.serviceAccount.automount }}
{{- range $v.extraVolumeMounts }}
{{- if hasPrefix (printf "%s/" (trimSuffix "/" .mountPath)) $file }}{{ $mounted = true }}{{ end }}
{{- end }}
{{- if and (regexMatch "^(/var)?/run/secrets/kubernetes\\.io/serviceaccount/" $file) (not $mounted) }}
{{- fail (printf "\n\nconfig.%s: %s is there only with serviceAccount.automount=true.\n" $flag $file) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Flags that the chart sets, and the value to use for each. */}}
{{- define "refund-relay.ownFlags" -}}
http_address: listenHost and webhooks.port
grpc_address: listenHost and grpc.port
admin_address: listenHost and admin.port
data_dir: persistence
webhook_secret_files: webhooks.signature
webhook_basic_files: webhooks.basic
http_tls_cert_file: webhooks.tls
http_tls_key_file: webhooks.tls
grpc_tls_cert_file: grpc.tls
grpc_tls_key_file: grpc.tls
grpc_tls_client_ca_file: grpc.tls.clientCA
grpc_tls_require_client_cert: grpc.tls.requireClientCertificate
allow_insecure_grpc: grpc.allowInsecure
admin_tls_cert_file: admin.tls
admin_tls_key_file: admin.tls
access_policy_file: accessPolicy
drain_delay: drain.delaySeconds
drain_timeout: drain.timeoutSeconds
backup_interval: backup.interval
backup_dir: backup.volume
backup_keep: backup.keep
{{- end }}

{{/* Under another name an upgrade would make a second StatefulSet with an empty log; under other selector labels Kubernetes refuses it
after the Services were changed. So it is refused here, before anything. A lookup finds nothing where Helm asks no cluster. */}}
{{- define "refund-relay.validateUpgrade" -}}
{{- if .Release.IsUpgrade }}
{{- $name := include "refund-relay.fullname" . }}
{{- $labels := include "refund-relay.podSelectorLabels" . | fromYaml }}
{{- range default list (lookup "apps/v1" "StatefulSet" .Release.Namespace "").items }}
{{- $release := get (default dict .metadata.annotations) "meta.helm.sh/release-name" }}
{{- $chart := get (default dict .metadata.labels) "helm.sh/chart" }}
{{- if and (eq $release $.Release.Name) (regexMatch (printf "^%s-[0-9]" $.Chart.Name) $chart) }}
{{- $oldLabels := .spec.selector.matchLabels }}
{{- if or (ne .metadata.name $name) (ne (toJson $oldLabels) (toJson $labels)) }}
{{- $oldName := get $oldLabels "app.kubernetes.io/name" }}
{{- $newName := get $labels "app.kubernetes.io/name" }}
{{- fail (printf "\n\nfullnameOverride, nameOverride: an upgrade cannot rename a release. Its StatefulSet is %s (app.kubernetes.io/name: %s), with the log on its claim; these values make %s (app.kubernetes.io/name: %s), which would begin with an empty log or without endpoints. Keep the names:\n  --set fullnameOverride=%s --set nameOverride=%s\nOr move the log to the new names: helm uninstall (the claim stays), then helm install with them and\n  --set persistence.existingClaim=%s\n" .metadata.name $oldName $name $newName .metadata.name $oldName (default (printf "data-%s-0" .metadata.name) $.Values.persistence.existingClaim)) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
