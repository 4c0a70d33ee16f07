{{/*
Sentences on values that contradict each other, where the schema of single values cannot see it: each template gives a list of them as
YAML. What is said here is what the API server would say of the objects, in the words of the values.
*/}}

{{/* Labels that values would put in place of the chart's own; the metadata of pods; volumes; security; resources. */}}
{{- define "neuronspan.validation.pods" -}}
{{- $problems := list }}
{{- $own := include "neuronspan.ownLabels" (dict "root" . "component" "x") | fromYaml }}
{{- $labels := dict "commonLabels" .Values.commonLabels "metrics.serviceMonitor.labels" ((.Values.metrics).serviceMonitor).labels "metrics.podMonitor.labels" ((.Values.metrics).podMonitor).labels "metrics.prometheusRule.labels" ((.Values.metrics).prometheusRule).labels "metrics.dashboard.labels" ((.Values.metrics).dashboard).labels }}
{{- range $component := list "operator" "devicePlugin" "tests" }}
{{- $_ := set $labels (printf "%s.podLabels" $component) (index $.Values $component | default dict).podLabels }}
{{- end }}
{{- range $key, $given := $labels }}
{{- range $label := keys ($given | default dict) | sortAlpha }}
{{- if hasKey $own $label }}
{{- $problems = append $problems (printf "%s has the label %s, which is the chart's own: selectors count on it, so leave it out" $key $label) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $component := list "operator" "devicePlugin" "tests" }}
{{- $values := index $.Values $component | default dict }}
{{- $problems = concat $problems (include "neuronspan.validation.security" (dict "key" $component "values" $values) | fromYamlArray) }}
{{- $problems = concat $problems (include "neuronspan.validation.resources" (dict "key" $component "values" $values) | fromYamlArray) }}
{{- if and (eq $values.dnsPolicy "None") (not ($values.dnsConfig).nameservers) }}
{{- $problems = append $problems (printf "%s.dnsPolicy is None, but %s.dnsConfig.nameservers is empty: name at least one server" $component $component) }}
{{- end }}
{{- end }}
{{- $problems = concat $problems (include "neuronspan.validation.volumes" (dict "key" "operator" "values" (.Values.operator | default dict)) | fromYamlArray) }}
{{- $taken := dict "names" (list "device-plugins" "pod-resources" "cdi" "neuronspan" "cgroup" "hardware-sys" "hardware-dev" "hardware-neuron" "hardware-dmi") "paths" (list "/var/lib/kubelet/device-plugins" "/var/lib/kubelet/pod-resources" "/var/run/cdi" "/run/neuronspan" "/host/sys/fs/cgroup" "/host/hardware/sys" "/host/hardware/dev" "/host/hardware/neuron" "/host/hardware/dmi") }}
{{- $problems = concat $problems (include "neuronspan.validation.volumes" (merge (dict "key" "devicePlugin" "values" (.Values.devicePlugin | default dict)) $taken) | fromYamlArray) }}
{{- $spread := dict }}
{{- range (.Values.operator).topologySpreadConstraints }}
{{- $rule := printf "topologyKey %s and whenUnsatisfiable %s" .topologyKey .whenUnsatisfiable }}
{{- if hasKey $spread $rule }}
{{- $problems = append $problems (printf "operator.topologySpreadConstraints has two entries with %s: make one of them" $rule) }}
{{- end }}
{{- $_ := set $spread $rule true }}
{{- end }}
{{- $ports := list (include "neuronspan.operator.port" .) (include "neuronspan.deviceplugin.port" .) }}
{{- if and (.Values.operator).hostNetwork (.Values.devicePlugin).hostNetwork (include "neuronspan.deviceplugin.enabled" .) (eq (first $ports) (last $ports)) }}
{{- $problems = append $problems (printf "operator and devicePlugin are both in the network of their node, with the same port %s: set another operator.port" (first $ports)) }}
{{- end }}
{{- toYaml $problems }}
{{- end }}

{{/* Takes a dict: key, values. */}}
{{- define "neuronspan.validation.security" -}}
{{- $problems := list }}
{{- $context := .values.securityContext | default dict }}
{{- if eq (toString $context.allowPrivilegeEscalation) "false" }}
{{- if $context.privileged }}
{{- $problems = append $problems (printf "%s.securityContext has privileged: true, which cannot be without privilege escalation: set allowPrivilegeEscalation to true or null" .key) }}
{{- end }}
{{- range ($context.capabilities).add }}
{{- if has (trimPrefix "CAP_" .) (list "SYS_ADMIN") }}
{{- $problems = append $problems (printf "%s.securityContext adds the capability %s, which cannot be without privilege escalation: set allowPrivilegeEscalation to true or null" $.key .) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $field := list "podSecurityContext" "securityContext" }}
{{- $given := index $.values $field | default dict }}
{{- if and $given.runAsNonRoot (eq (toString $given.runAsUser) "0") }}
{{- $problems = append $problems (printf "%s.%s has runAsNonRoot: true and runAsUser: 0: kubelet would not start the container; change one of them" $.key $field) }}
{{- end }}
{{- end }}
{{- toYaml $problems }}
{{- end }}

{{/* Takes a dict: key, values. */}}
{{- define "neuronspan.validation.resources" -}}
{{- $problems := list }}
{{- $resources := .values.resources | default dict }}
{{- range $name, $least := $resources.requests }}
{{- $most := index ($resources.limits | default dict) $name }}
{{- if not (kindIs "invalid" $most) }}
{{- if gt (include "neuronspan.validation.quantity" $least | float64) (include "neuronspan.validation.quantity" $most | float64) }}
{{- $problems = append $problems (printf "%s.resources.requests.%s is %v, above %s.resources.limits.%s, which is %v: lower the request or raise the limit" $.key $name $least $.key $name $most) }}
{{- end }}
{{- end }}
{{- end }}
{{- toYaml $problems }}
{{- end }}

{{/* A quantity of Kubernetes as a number. */}}
{{- define "neuronspan.validation.quantity" -}}
{{- $text := kindIs "string" . | ternary (toString .) (printf "%v" .) }}
{{- $units := dict "n" 1e-9 "u" 1e-6 "m" 1e-3 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 "Ei" 1152921504606846976.0 }}
{{- $unit := regexFind "([numkMGTPE]|[KMGTPE]i)$" $text }}
{{- mulf (trimSuffix $unit $text | float64) (get $units $unit | default 1.0) }}
{{- end }}

{{/* Takes a dict: key, values, and perhaps names and paths: those of the chart's own volumes. */}}
{{- define "neuronspan.validation.volumes" -}}
{{- $problems := list }}
{{- $names := .names | default list }}
{{- range .values.extraVolumes }}
{{- if has .name $names }}
{{- $problems = append $problems (printf "%s.extraVolumes has a volume %q, which the pod has already: give it another name" $.key .name) }}
{{- end }}
{{- $names = append $names .name }}
{{- end }}
{{- $paths := .paths | default list }}
{{- range .values.extraVolumeMounts }}
{{- if not (has .name $names) }}
{{- $problems = append $problems (printf "%s.extraVolumeMounts mounts %q, but there is no such volume: add it to %s.extraVolumes" $.key .name $.key) }}
{{- end }}
{{- if has .mountPath $paths }}
{{- $problems = append $problems (printf "%s.extraVolumeMounts has the path %s, where something is mounted already: choose another one" $.key .mountPath) }}
{{- end }}
{{- $paths = append $paths .mountPath }}
{{- end }}
{{- toYaml $problems }}
{{- end }}

{{/* A budget that would never let a node be drained. */}}
{{- define "neuronspan.validation.budget" -}}
{{- $problems := list }}
{{- $operator := .Values.operator | default dict }}
{{- $budget := $operator.podDisruptionBudget | default dict }}
{{- $replicas := $operator.replicas | default 2 | int }}
{{- $least := kindIs "invalid" $budget.minAvailable | ternary 1 $budget.minAvailable }}
{{- if and (gt $replicas 1) (include "neuronspan.switch" (dict "value" $budget.enabled "default" true)) }}
{{- if not (has (toString $budget.maxUnavailable) (list "" "<nil>")) }}
{{- if ne (toString $least) "1" }}
{{- $problems = append $problems (printf "operator.podDisruptionBudget has minAvailable %v and maxUnavailable %v: a budget has one of them, so leave out minAvailable" $least $budget.maxUnavailable) }}
{{- else if not (include "neuronspan.isSome" $budget.maxUnavailable) }}
{{- $problems = append $problems (printf "operator.podDisruptionBudget.maxUnavailable is %v: no node with an operator could ever be drained; set it to at least 1" $budget.maxUnavailable) }}
{{- end }}
{{- else }}
{{- $kept := int $least }}
{{- if hasSuffix "%" (toString $least) }}
{{- $kept = div (add (mul (trimSuffix "%" $least | int) $replicas) 99) 100 | int }}
{{- end }}
{{- if ge $kept $replicas }}
{{- $problems = append $problems (printf "operator.podDisruptionBudget.minAvailable is %v with %d replicas: no node with an operator could ever be drained; set it to at most %d" $least $replicas (sub $replicas 1)) }}
{{- end }}
{{- end }}
{{- end }}
{{- toYaml $problems }}
{{- end }}

{{/* How new plugins replace old ones: see deviceplugin/_rollout.tpl. */}}
{{- define "neuronspan.validation.rollout" -}}
{{- $problems := list }}
{{- $values := .Values.devicePlugin | default dict }}
{{- $rolling := ($values.updateStrategy).rollingUpdate | default dict }}
{{- if eq (($values.updateStrategy).type | default "RollingUpdate") "RollingUpdate" }}
{{- $unavailable := kindIs "invalid" $rolling.maxUnavailable | ternary 1 $rolling.maxUnavailable }}
{{- if include "neuronspan.isSome" $rolling.maxSurge }}
{{- if and (include "neuronspan.isSome" $unavailable) (ne (toString $unavailable) "1") }}
{{- $problems = append $problems (printf "devicePlugin.updateStrategy.rollingUpdate has maxSurge %v and maxUnavailable %v: a DaemonSet has one of them, so leave out maxUnavailable" $rolling.maxSurge $unavailable) }}
{{- end }}
{{- if $values.hostNetwork }}
{{- $problems = append $problems (printf "devicePlugin.updateStrategy.rollingUpdate.maxSurge is %v, but devicePlugin.hostNetwork is true: two plugins of a node cannot have the same port; use maxUnavailable" $rolling.maxSurge) }}
{{- end }}
{{- else if not (include "neuronspan.isSome" $unavailable) }}
{{- $problems = append $problems (printf "devicePlugin.updateStrategy.rollingUpdate has maxUnavailable %v and no maxSurge: no plugin could ever be replaced; set one of them to at least 1" $unavailable) }}
{{- end }}
{{- end }}
{{- toYaml $problems }}
{{- end }}
