{{/*
Node affinity that selects the nodes of the pools, and those that have a ledger still though they left their pool: the operator
labels them. Terms are alternatives, the labels of one pool must all match. Nothing when there are no pools.
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
      - matchExpressions:
          - {key: neuronspan.dev/ledger, operator: In, values: [kept]}
{{- end }}
{{- end }}
