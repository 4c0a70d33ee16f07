{{/*
Defaults once more, for values that are missing altogether: `helm upgrade --reuse-values` brings the values of an older chart.
tests/chart compares them with values.yaml.
*/}}

{{/* "true" or nothing, for a switch that may be missing. Takes a dict: value, default. */}}
{{- define "neuronspan.switch" -}}
{{- if kindIs "invalid" .value }}{{ if .default }}true{{ end }}{{ else if .value }}true{{ end }}
{{- end }}

{{- define "neuronspan.limits.cores" -}}
{{- (.Values.limits).coresPerNode | default (include "neuronspan.hardware.mostCores" .) | int }}
{{- end }}

{{- define "neuronspan.limits.devices" -}}
{{- (.Values.limits).devicesPerNode | default (include "neuronspan.hardware.mostDevices" .) | int }}
{{- end }}

{{- define "neuronspan.admission.policyAPI" -}}
admissionregistration.k8s.io/v1/MutatingAdmissionPolicy
{{- end }}

{{/*
What brings requests into their common form: policy, webhook or none. auto is a policy where the cluster has that kind, and the
webhook elsewhere; without a cluster (helm template) nothing is known, and the webhook works everywhere.
*/}}
{{- define "neuronspan.admission.mode" -}}
{{- $mode := (.Values.admission).mode | default "auto" }}
{{- if ne $mode "auto" }}{{ $mode }}{{ else if .Capabilities.APIVersions.Has (include "neuronspan.admission.policyAPI" .) }}policy{{ else }}webhook{{ end }}
{{- end }}

{{- define "neuronspan.webhook.enabled" -}}
{{- if eq (include "neuronspan.admission.mode" .) "webhook" }}true{{ end }}
{{- end }}

{{- define "neuronspan.webhook.port" -}}
{{- ((.Values.admission).webhook).port | default 9443 }}
{{- end }}

{{- define "neuronspan.webhook.timeoutSeconds" -}}
{{- ((.Values.admission).webhook).timeoutSeconds | default 10 }}
{{- end }}

{{/* Who keeps the certificate: self, cert-manager or secret. */}}
{{- define "neuronspan.webhook.certificates" -}}
{{- (((.Values.admission).webhook).certificates).mode | default "self" }}
{{- end }}

{{/* The Secret with the certificate, whoever writes it. */}}
{{- define "neuronspan.webhook.secret" -}}
{{- if eq (include "neuronspan.webhook.certificates" .) "secret" }}
{{- (((.Values.admission).webhook).certificates).existingSecret | default "" }}
{{- else }}
{{- include "neuronspan.fullname" . }}-webhook-certificate
{{- end }}
{{- end }}

{{/* Plural and name of what makes new pods ours; nothing without admission. */}}
{{- define "neuronspan.admission.mutator" -}}
{{- $mode := include "neuronspan.admission.mode" . }}
{{- if eq $mode "policy" }}mutatingadmissionpolicybindings/{{ include "neuronspan.fullname" . }}-requests{{ end }}
{{- if eq $mode "webhook" }}mutatingwebhookconfigurations/{{ include "neuronspan.fullname" . }}-webhook{{ end }}
{{- end }}

{{- define "neuronspan.admission.workloads" -}}
{{- include "neuronspan.switch" (dict "value" (.Values.admission).workloads "default" true) }}
{{- end }}

{{- define "neuronspan.admission.checkCluster" -}}
{{- include "neuronspan.switch" (dict "value" (.Values.admission).checkCluster "default" true) }}
{{- end }}

{{- define "neuronspan.guests.enabled" -}}
{{- include "neuronspan.switch" (dict "value" (.Values.guests).enabled "default" false) }}
{{- end }}

{{- define "neuronspan.deviceplugin.enabled" -}}
{{- include "neuronspan.switch" (dict "value" (.Values.devicePlugin).enabled "default" true) }}
{{- end }}

{{- define "neuronspan.operator.leaderElection" -}}
{{- include "neuronspan.switch" (dict "value" ((.Values.operator).leaderElection).enabled "default" true) }}
{{- end }}

{{- define "neuronspan.operator.port" -}}
{{- (.Values.operator).port | default 8080 }}
{{- end }}

{{- define "neuronspan.deviceplugin.port" -}}
{{- (.Values.devicePlugin).port | default 8080 }}
{{- end }}

{{- define "neuronspan.rbac.create" -}}
{{- include "neuronspan.switch" (dict "value" (.Values.rbac).create "default" true) }}
{{- end }}

{{- define "neuronspan.cleanup.enabled" -}}
{{- if include "neuronspan.rbac.create" . }}{{ include "neuronspan.switch" (dict "value" (.Values.cleanup).enabled "default" true) }}{{ end }}
{{- end }}

{{- define "neuronspan.cleanup.waitingPods" -}}
{{- (.Values.cleanup).waitingPods | default "keep" }}
{{- end }}

{{- define "neuronspan.metrics.service" -}}
{{- include "neuronspan.switch" (dict "value" ((.Values.metrics).service).enabled "default" true) }}
{{- end }}

{{- define "neuronspan.metrics.serviceMonitor" -}}
{{- include "neuronspan.switch" (dict "value" ((.Values.metrics).serviceMonitor).enabled "default" false) }}
{{- end }}

{{- define "neuronspan.metrics.podMonitor" -}}
{{- include "neuronspan.switch" (dict "value" ((.Values.metrics).podMonitor).enabled "default" false) }}
{{- end }}

{{- define "neuronspan.metrics.prometheusRule" -}}
{{- include "neuronspan.switch" (dict "value" ((.Values.metrics).prometheusRule).enabled "default" false) }}
{{- end }}

{{- define "neuronspan.metrics.dashboard" -}}
{{- include "neuronspan.switch" (dict "value" ((.Values.metrics).dashboard).enabled "default" false) }}
{{- end }}
