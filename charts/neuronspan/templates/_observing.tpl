{{/* What both components have in front of their HTTP port. Each takes a dict: root, component, port; the last one also webhook. */}}

{{- define "neuronspan.metricsService" -}}
{{- if include "neuronspan.metrics.service" .root }}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "neuronspan.fullname" .root }}-{{ .component }}-metrics
  namespace: {{ .root.Release.Namespace | quote }}
  labels: {{- include "neuronspan.labels" . | nindent 4 }}
spec:
  clusterIP: None # every pod is scraped, none stands for the others
  selector: {{- include "neuronspan.selectorLabels" . | nindent 4 }}
  ports:
    - {name: http, port: {{ .port }}, targetPort: http}
{{- end }}
{{- end }}

{{- define "neuronspan.serviceMonitor" -}}
{{- if include "neuronspan.metrics.serviceMonitor" .root }}
{{- $monitor := (.root.Values.metrics).serviceMonitor | default dict }}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ include "neuronspan.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "neuronspan.labels" . | nindent 4 }}
    {{- with $monitor.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels: {{- include "neuronspan.selectorLabels" . | nindent 6 }}
  namespaceSelector:
    matchNames: [{{ .root.Release.Namespace | quote }}]
  endpoints:
    - {port: http, path: /metrics, interval: {{ $monitor.interval | default "30s" }}}
{{- end }}
{{- end }}

{{/* In: the HTTP port. kubelet's probes come from the node itself, which a NetworkPolicy cannot keep out. Out: DNS, API server. */}}
{{- define "neuronspan.networkPolicy" -}}
{{- $network := .root.Values.networkPolicy | default dict }}
{{- if $network.enabled }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "neuronspan.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels: {{- include "neuronspan.labels" . | nindent 4 }}
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
