{{/*
What all pods of the chart have in common, operator, device plugin, the Job before an uninstallation and the pod of `helm test`
alike: each field of a pod is written here, once, and the templates say only what is theirs.
*/}}

{{/* Labels and annotations of the pods of a workload. Takes a dict: root, component, values (of the component). */}}
{{- define "neuronspan.pods.metadata" -}}
labels: {{- include "neuronspan.labels" (merge (dict "labels" (.values.podLabels | default dict)) .) | nindent 2 }}
{{- with .values.podAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
Fields of a pod's spec but for its containers and volumes. Takes a dict: root, values, defaults. Defaults hold what is meant by a
value that is missing: priorityClassName, tolerations, podSecurityContext; and by one that is empty: affinity.
*/}}
{{- define "neuronspan.pods.spec" -}}
{{- $values := .values }}
{{- $spec := dict "enableServiceLinks" false }}
{{- range $key := list "nodeSelector" "topologySpreadConstraints" "runtimeClassName" "hostNetwork" "dnsPolicy" "dnsConfig" }}
{{- with get $values $key }}
{{- $_ := set $spec $key . }}
{{- end }}
{{- end }}
{{- /* a pod in the network of its node asks the cluster's name service only when it is told to */}}
{{- if and $spec.hostNetwork (not $spec.dnsPolicy) }}
{{- $_ := set $spec "dnsPolicy" "ClusterFirstWithHostNet" }}
{{- end }}
{{- with $values.affinity | default .defaults.affinity }}
{{- $_ := set $spec "affinity" . }}
{{- end }}
{{- $meant := dict "priorityClassName" .defaults.priorityClassName "tolerations" .defaults.tolerations }}
{{- range $key, $default := $meant }}
{{- with kindIs "invalid" (index $values $key) | ternary $default (index $values $key) }}
{{- $_ := set $spec $key . }}
{{- end }}
{{- end }}
{{- with kindIs "invalid" $values.podSecurityContext | ternary .defaults.podSecurityContext $values.podSecurityContext }}
{{- $_ := set $spec "securityContext" . }}
{{- end }}
{{- with include "neuronspan.pods.pullSecrets" .root | fromYamlArray }}
{{- $_ := set $spec "imagePullSecrets" . }}
{{- end }}
{{- toYaml $spec }}
{{- end }}

{{/* Secrets with the credentials of registries, the global ones first. A global one may be a name alone, as other charts take it. */}}
{{- define "neuronspan.pods.pullSecrets" -}}
{{- $names := list }}
{{- range concat ((.Values.global).imagePullSecrets | default list) (.Values.imagePullSecrets | default list) }}
{{- $names = append $names (kindIs "string" . | ternary . (get (kindIs "map" . | ternary . dict) "name")) }}
{{- end }}
{{- $secrets := list }}
{{- range $names | uniq }}
{{- $secrets = append $secrets (dict "name" .) }}
{{- end }}
{{- toYaml $secrets }}
{{- end }}

{{/*
Fields of a container but for its name, command and variables. Takes a dict: root, values, image (of the values), repository (the
default), defaults: resources, securityContext.
*/}}
{{- define "neuronspan.pods.container" -}}
image: {{ include "neuronspan.image" . | quote }}
imagePullPolicy: {{ include "neuronspan.imagePullPolicy" .root }}
{{- with .values.envFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
resources: {{- toYaml (.values.resources | default .defaults.resources) | nindent 2 }}
{{- with kindIs "invalid" .values.securityContext | ternary .defaults.securityContext .values.securityContext }}
securityContext: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
The ports, and who asks at that named http. Takes a dict: values, ports (name to number). Probe values that are set change single
fields of the defaults.
*/}}
{{- define "neuronspan.pods.probes" -}}
ports:
  {{- range $name, $port := .ports }}
  - {name: {{ $name }}, containerPort: {{ $port }}}
  {{- end }}
livenessProbe: {{- toYaml (include "neuronspan.pods.probe" (dict "path" "/livez" "period" 10 "tuned" .values.livenessProbe) | fromYaml) | nindent 2 }}
readinessProbe: {{- toYaml (include "neuronspan.pods.probe" (dict "path" "/readyz" "period" 5 "tuned" .values.readinessProbe) | fromYaml) | nindent 2 }}
{{- end }}

{{- define "neuronspan.pods.probe" -}}
{{- $default := dict "httpGet" (dict "path" .path "port" "http") "periodSeconds" .period "timeoutSeconds" 5 }}
{{- toYaml (merge (dict) (.tuned | default dict) $default) }}
{{- end }}

{{/* What runs without any privilege: the operator, and what the chart runs for a moment. */}}
{{- define "neuronspan.pods.unprivileged" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* What every container of the chart runs with. */}}
{{- define "neuronspan.pods.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Requests and limits as YAML. Takes a dict: cpu, memory, memoryLimit. */}}
{{- define "neuronspan.pods.resources" -}}
limits: {memory: {{ .memoryLimit }}}
requests: {cpu: {{ .cpu }}, memory: {{ .memory }}}
{{- end }}
