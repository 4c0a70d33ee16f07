{{- define "neuronspan.admission.mode" -}}
{{- (.Values.admission | default dict).mode | default "policy" }}
{{- end }}
