{{/*
Node affinity that selects exactly the nodes of the pools: terms are alternatives, the labels of one pool must all match.
Nothing when there are no pools.
*/}}
{{- define "neuronspan.deviceplugin.poolAffinity" -}}
{{- with .Values.pools }}
nodeAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    nodeSelectorTerms:
      {{- range . }}
      - matchExpressions:
          {{- range $label, $value := .nodeSelector }}
          - {key: {{ $label | quote }}, operator: In, values: [{{ $value | quote }}]}
          {{- end }}
      {{- end }}
{{- end }}
{{- end }}
