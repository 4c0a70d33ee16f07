{{/*
How new plugins replace old ones. Kubernetes takes maxSurge or maxUnavailable, and calls a DaemonSet with both invalid: who sets
maxSurge means it instead of the default maxUnavailable of 1. Another maxUnavailable beside it is refused (validation.yaml).
*/}}
{{- define "neuronspan.deviceplugin.updateStrategy" -}}
{{- $strategy := (.Values.devicePlugin).updateStrategy | default dict }}
{{- $type := $strategy.type | default "RollingUpdate" }}
type: {{ $type }}
{{- if eq $type "RollingUpdate" }}
{{- $surge := ($strategy.rollingUpdate).maxSurge }}
{{- $unavailable := ($strategy.rollingUpdate).maxUnavailable }}
rollingUpdate:
  {{- if include "neuronspan.isSome" $surge }}
  maxSurge: {{ $surge | toJson }}
  maxUnavailable: 0
  {{- else }}
  maxUnavailable: {{ kindIs "invalid" $unavailable | ternary 1 $unavailable | toJson }}
  {{- end }}
{{- end }}
{{- end }}

{{/* "true" unless a number or a percentage is missing or zero. */}}
{{- define "neuronspan.isSome" -}}
{{- if not (or (kindIs "invalid" .) (regexMatch "^0+%?$" (toString .))) }}true{{ end }}
{{- end }}
