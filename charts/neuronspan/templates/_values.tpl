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

{{- define "neuronspan.admission.mode" -}}
{{- (.Values.admission).mode | default "policy" }}
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
