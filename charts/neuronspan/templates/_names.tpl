{{/* Names, labels, images and the identities that the policies know. */}}

{{- define "neuronspan.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 48 | trimSuffix "-" }}
{{- end }}

{{/* Prefix of every object; short enough for "-deviceplugin-metrics" behind it. */}}
{{- define "neuronspan.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 42 | trimSuffix "-" }}
{{- else if contains (include "neuronspan.name" .) .Release.Name }}
{{- .Release.Name | trunc 42 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "neuronspan.name" .) | trunc 42 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Where everything of the release is that has a namespace. */}}
{{- define "neuronspan.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace }}
{{- end }}

{{/* Labels that never change during an upgrade. Takes a dict: root, component. */}}
{{- define "neuronspan.selectorLabels" -}}
app.kubernetes.io/name: {{ include "neuronspan.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/*
The chart's own labels. Values may not set one of these keys (validation.yaml): selectors, and whoever asks which release an object
is of, count on them. Takes a dict: root, component.
*/}}
{{- define "neuronspan.ownLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | quote }}
{{ include "neuronspan.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service | quote }}
{{- end }}

{{/* Labels of every object, each key once. Takes a dict: root, component, and perhaps labels: more of this object. */}}
{{- define "neuronspan.labels" -}}
{{- toYaml (merge (include "neuronspan.ownLabels" . | fromYaml) (.labels | default dict) (.root.Values.commonLabels | default dict)) }}
{{- end }}

{{/* Labels and annotations of an object. Takes a dict: root, component, and perhaps labels and annotations of this object. */}}
{{- define "neuronspan.metadata" -}}
labels: {{- include "neuronspan.labels" . | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) (.root.Values.commonAnnotations | default dict) }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Image reference. Takes a dict: root, image, repository (the default). The tag defaults to appVersion; a digest beats it. */}}
{{- define "neuronspan.image" -}}
{{- with (.root.Values.global).imageRegistry | default (.root.Values.image).registry }}{{ trimSuffix "/" . }}/{{ end }}
{{- (.image).repository | default .repository }}
{{- if (.image).digest }}@{{ .image.digest }}{{ else }}:{{ (.image).tag | default .root.Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "neuronspan.imagePullPolicy" -}}
{{- (.Values.image).pullPolicy | default "IfNotPresent" }}
{{- end }}

{{- define "neuronspan.operator.serviceAccountName" -}}
{{- ((.Values.operator).serviceAccount).name | default (printf "%s-operator" (include "neuronspan.fullname" .)) }}
{{- end }}

{{- define "neuronspan.deviceplugin.serviceAccountName" -}}
{{- ((.Values.devicePlugin).serviceAccount).name | default (printf "%s-deviceplugin" (include "neuronspan.fullname" .)) }}
{{- end }}

{{/* The operator as the API server names it in userInfo.username. */}}
{{- define "neuronspan.operator.username" -}}
system:serviceaccount:{{ include "neuronspan.namespace" . }}:{{ include "neuronspan.operator.serviceAccountName" . }}
{{- end }}

{{/* The device plugin as the API server names it in userInfo.username. */}}
{{- define "neuronspan.deviceplugin.username" -}}
system:serviceaccount:{{ include "neuronspan.namespace" . }}:{{ include "neuronspan.deviceplugin.serviceAccountName" . }}
{{- end }}
