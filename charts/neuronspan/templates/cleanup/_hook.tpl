{{/*
Labels and annotations of what exists only while `helm uninstall` runs, whether that succeeds or not. Takes a dict: root, weight (as
a string; lower ones come first), and perhaps annotations.
*/}}
{{- define "neuronspan.cleanup.metadata" -}}
{{- $hook := dict
  "helm.sh/hook" "pre-delete"
  "helm.sh/hook-weight" .weight
  "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded,hook-failed"
}}
{{- include "neuronspan.metadata" (dict "root" .root "component" "cleanup" "annotations" (merge $hook (.annotations | default dict))) }}
{{- end }}
