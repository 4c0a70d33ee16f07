{{/* Affinity of the operator's pods unless values say another one: a node that fails takes one of them. */}}
{{- define "neuronspan.operator.spread" -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels: {{- include "neuronspan.selectorLabels" (dict "root" . "component" "operator") | nindent 12 }}
{{- end }}
