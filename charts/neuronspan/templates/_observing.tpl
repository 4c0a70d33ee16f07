{{/* What both components have in front of their HTTP port. Each takes a dict: root, component, port; the last one also webhook. */}}

{{- define "neuronspan.metricsService" -}}
{{- if include "neuronspan.metrics.service" .root }}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "neuronspan.fullname" .root }}-{{ .component }}-metrics
  namespace: {{ include "neuronspan.namespace" .root | quote }}
  {{- include "neuronspan.metadata" . | nindent 2 }}
spec:
  clusterIP: None # every pod is scraped, none stands for the others
  selector: {{- include "neuronspan.selectorLabels" . | nindent 4 }}
  ports:
    - {name: http, port: {{ .port }}, targetPort: http}
{{- end }}
{{- end }}

{{- define "neuronspan.serviceMonitor" -}}
{{- if include "neuronspan.metrics.serviceMonitor" .root }}
{{- include "neuronspan.monitor" (merge (dict "kind" "ServiceMonitor" "ends" "endpoints" "values" .root.Values.metrics.serviceMonitor) .) }}
{{- end }}
{{- end }}

{{/* For clusters that want no Services of ours: the same pods, found by themselves. */}}
{{- define "neuronspan.podMonitor" -}}
{{- if include "neuronspan.metrics.podMonitor" .root }}
{{- include "neuronspan.monitor" (merge (dict "kind" "PodMonitor" "ends" "podMetricsEndpoints" "values" .root.Values.metrics.podMonitor) .) }}
{{- end }}
{{- end }}

{{- define "neuronspan.monitor" -}}
apiVersion: monitoring.coreos.com/v1
kind: {{ .kind }}
metadata:
  name: {{ include "neuronspan.fullname" .root }}-{{ .component }}
  namespace: {{ include "neuronspan.namespace" .root | quote }}
  {{- include "neuronspan.metadata" (dict "root" .root "component" .component "labels" .values.labels) | nindent 2 }}
spec:
  selector:
    matchLabels: {{- include "neuronspan.selectorLabels" . | nindent 6 }}
  namespaceSelector:
    matchNames: [{{ include "neuronspan.namespace" .root | quote }}]
  {{ .ends }}:
    - {port: http, path: /metrics, interval: {{ .values.interval | default "30s" | quote }}}
{{- end }}

{{/* In: the HTTP port. kubelet's probes come from the node itself, which a NetworkPolicy cannot keep out. Out: DNS, API server. */}}
{{- define "neuronspan.networkPolicy" -}}
{{- $network := .root.Values.networkPolicy | default dict }}
{{- if $network.enabled }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "neuronspan.fullname" .root }}-{{ .component }}
  namespace: {{ include "neuronspan.namespace" .root | quote }}
  {{- include "neuronspan.metadata" . | nindent 2 }}
spec:
  podSelector:
    matchLabels: {{- include "neuronspan.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - ports:
        - {protocol: TCP, port: http}
      {{- with $network.metricsFrom }}
      from: {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- if .webhook }}
    - ports: # from anywhere: the API server's address is that of a node, or of none
        - {protocol: TCP, port: webhook}
    {{- end }}
  egress:
    - ports:
        - {protocol: UDP, port: 53}
        - {protocol: TCP, port: 53}
    - ports:
        {{- range $network.apiServerPorts | default (list 443 6443) }}
        - {protocol: TCP, port: {{ . }}}
        {{- end }}
      {{- with $network.apiServerTo }}
      to: {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end }}
{{- end }}
