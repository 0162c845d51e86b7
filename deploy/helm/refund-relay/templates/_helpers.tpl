{{/* Names, labels and small pieces that several templates use. */}}

{{- define "refund-relay.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{/* At most 52 letters: the StatefulSet's controller appends 11 for a label, which may have 63. */}}
{{- define "refund-relay.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "refund-relay.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "refund-relay.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "refund-relay.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "refund-relay.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* What a selector holds; must never change. */}}
{{- define "refund-relay.selectorLabels" -}}
app.kubernetes.io/name: {{ include "refund-relay.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The selector of the server's pod, which the pod of `helm test` must not match. */}}
{{- define "refund-relay.podSelectorLabels" -}}
{{ include "refund-relay.selectorLabels" . }}
app.kubernetes.io/component: server
{{- end }}

{{/* Labels by the chart, which no value overrides. */}}
{{- define "refund-relay.ownLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "refund-relay.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "refund-relay.labels" -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.commonLabels) (include "refund-relay.ownLabels" . | fromYaml)) }}
{{- end }}

{{/* The metadata of an object. Takes root, and optionally name, labels, annotations, own (labels by the chart). */}}
{{- define "refund-relay.metadata" -}}
name: {{ default (include "refund-relay.fullname" .root) .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- $own := mergeOverwrite (include "refund-relay.ownLabels" .root | fromYaml) (default dict .own) }}
  {{- toYaml (mergeOverwrite (deepCopy .root.Values.commonLabels) (deepCopy (default dict .labels)) $own) | nindent 2 }}
{{- with mergeOverwrite (deepCopy .root.Values.commonAnnotations) (default dict .annotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "refund-relay.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{/* The Secret with the certificate of a door, empty if it has none. Takes root and door. */}}
{{- define "refund-relay.tlsSecret" -}}
{{- $tls := (index .root.Values .door).tls }}
{{- if $tls.existingSecret }}
{{- $tls.existingSecret }}
{{- else if $tls.certManager.enabled }}
{{- printf "%s-%s-tls" (include "refund-relay.fullname" .root) .door }}
{{- end }}
{{- end }}

{{/* The name of the ConfigMap with the access policy, empty if there is none. */}}
{{- define "refund-relay.policyConfigMap" -}}
{{- if .Values.accessPolicy.existingConfigMap }}
{{- .Values.accessPolicy.existingConfigMap }}
{{- else if .Values.accessPolicy.policy }}
{{- printf "%s-access-policy" (include "refund-relay.fullname" .) }}
{{- end }}
{{- end }}

{{- define "refund-relay.policyKey" -}}
{{- if .Values.accessPolicy.existingConfigMap }}{{ .Values.accessPolicy.key }}{{ else }}access-policy.json{{ end }}
{{- end }}

{{/* The host name of a door's Service, as other namespaces see it. Takes root and door. */}}
{{- define "refund-relay.serviceHost" -}}
{{- printf "%s-%s.%s.svc" (include "refund-relay.fullname" .root) .door .root.Release.Namespace }}
{{- end }}

{{- define "refund-relay.webhookUrl" -}}
{{- $tls := include "refund-relay.tlsSecret" (dict "root" . "door" "webhooks") }}
{{- printf "%s://%s:%d/webhooks/refund" (ternary "https" "http" (ne $tls "")) (include "refund-relay.serviceHost" (dict "root" . "door" "webhooks")) (int .Values.webhooks.service.port) }}
{{- end }}

{{- define "refund-relay.gracePeriod" -}}
{{- add .Values.drain.delaySeconds .Values.drain.timeoutSeconds .Values.drain.reserveSeconds }}
{{- end }}

{{/* A number as people write it: Helm reads every one as a float, and prints 67108864 as 6.7108864e+07. */}}
{{- define "refund-relay.flagValue" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ toString . }}{{ end }}
{{- end }}

{{- define "refund-relay.keyPaths" -}}
{{- $folder := .folder }}{{ $paths := list }}
{{- range .keys }}{{ $paths = append $paths (printf "%s/%s" $folder .) }}{{ end }}
{{- join "," $paths }}
{{- end }}

{{/* The arguments of the server, as a YAML list. */}}
{{- define "refund-relay.args" -}}
{{- $v := .Values }}
- --http_address={{ $v.listenHost }}:{{ int $v.webhooks.port }}
- --grpc_address={{ $v.listenHost }}:{{ int $v.grpc.port }}
- --admin_address={{ $v.listenHost }}:{{ int $v.admin.port }}
- --data_dir=/var/lib/refund-relay/data
{{- if $v.webhooks.signature.existingSecret }}
- --webhook_secret_files={{ include "refund-relay.keyPaths" (dict "folder" "/etc/refund-relay/webhook-signature" "keys" $v.webhooks.signature.keys) }}
{{- end }}
{{- if $v.webhooks.basic.existingSecret }}
- --webhook_basic_files={{ include "refund-relay.keyPaths" (dict "folder" "/etc/refund-relay/webhook-basic" "keys" $v.webhooks.basic.keys) }}
{{- end }}
{{- range $door, $flag := dict "webhooks" "http" "grpc" "grpc" "admin" "admin" }}
{{- if include "refund-relay.tlsSecret" (dict "root" $ "door" $door) }}
- --{{ $flag }}_tls_cert_file=/etc/refund-relay/tls/{{ $door }}/tls.crt
- --{{ $flag }}_tls_key_file=/etc/refund-relay/tls/{{ $door }}/tls.key
{{- else if eq $door "grpc" }}
- --allow_insecure_grpc=true
{{- end }}
{{- end }}
{{- if $v.grpc.tls.clientCA.existingSecret }}
- --grpc_tls_client_ca_file=/etc/refund-relay/client-ca/{{ $v.grpc.tls.clientCA.key }}
- --grpc_tls_require_client_cert={{ $v.grpc.tls.requireClientCertificate }}
{{- end }}
{{- if include "refund-relay.policyConfigMap" . }}
- --access_policy_file=/etc/refund-relay/access-policy/{{ include "refund-relay.policyKey" . }}
{{- end }}
- --drain_delay={{ int $v.drain.delaySeconds }}s
- --drain_timeout={{ int $v.drain.timeoutSeconds }}s
{{- if $v.backup.interval }}
- --backup_interval={{ $v.backup.interval }}
- --backup_dir=/var/backups/refund-relay
- --backup_keep={{ int $v.backup.keep }}
{{- end }}
{{- range $flag, $value := $v.config }}
- {{ printf "--%s=%s" $flag (include "refund-relay.flagValue" $value) | quote }}
{{- end }}
{{- range $v.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}
