{{/* Name, labels and, for cert-manager, annotations of both configurations. */}}
{{- define "neuronspan.webhook.metadata" -}}
name: {{ include "neuronspan.fullname" . }}-webhook
labels: {{- include "neuronspan.labels" (dict "root" . "component" "admission") | nindent 2 }}
{{- if eq (include "neuronspan.webhook.certificates" .) "cert-manager" }}
annotations:
  cert-manager.io/inject-ca-from: {{ printf "%s/%s-webhook" .Release.Namespace (include "neuronspan.fullname" .) | quote }}
{{- end }}
{{- end }}

{{/*
Where a webhook is and how long it may take. Takes a dict: root, path. Whom API servers trust is written by the operator, by
cert-manager, or here when you give it.
*/}}
{{- define "neuronspan.webhook.client" -}}
admissionReviewVersions: [v1]
sideEffects: None
timeoutSeconds: {{ include "neuronspan.webhook.timeoutSeconds" .root }}
clientConfig:
  service:
    name: {{ include "neuronspan.fullname" .root }}-webhook
    namespace: {{ .root.Release.Namespace | quote }}
    path: {{ .path }}
    port: 443
  {{- if eq (include "neuronspan.webhook.certificates" .root) "secret" }}
  caBundle: {{ (((.root.Values.admission).webhook).certificates).caBundle | default "" | nospace }}
  {{- end }}
{{- end }}
