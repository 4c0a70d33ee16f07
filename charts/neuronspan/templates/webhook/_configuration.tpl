{{/* Name, labels and, for cert-manager, annotations of both configurations. */}}
{{- define "neuronspan.webhook.metadata" -}}
name: {{ include "neuronspan.fullname" . }}-webhook
{{- $annotations := dict }}
{{- if eq (include "neuronspan.webhook.certificates" .) "cert-manager" }}
{{- $_ := set $annotations "cert-manager.io/inject-ca-from" (printf "%s/%s-webhook" (include "neuronspan.namespace" .) (include "neuronspan.fullname" .)) }}
{{- end }}
{{ include "neuronspan.metadata" (dict "root" . "component" "admission" "annotations" $annotations) }}
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
    namespace: {{ include "neuronspan.namespace" .root | quote }}
    path: {{ .path }}
    port: 443
  {{- if eq (include "neuronspan.webhook.certificates" .root) "secret" }}
  caBundle: {{ (((.root.Values.admission).webhook).certificates).caBundle | default "" | nospace }}
  {{- end }}
{{- end }}
