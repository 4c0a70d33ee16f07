{{/* Annotations of what exists only while `helm uninstall` runs. Takes the weight: lower ones come first. */}}
{{- define "neuronspan.cleanup.annotations" -}}
helm.sh/hook: pre-delete
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
