{{- define "neuronspan.installation" -}}
neuronspan.dev:one-release-per-cluster
{{- end }}

{{/*
Other releases of this chart that the cluster has, as a list of sentences. Looks at cluster role bindings: every release has one,
those of versions before this object existed, too. Nothing when the chart is rendered without a cluster.
*/}}
{{- define "neuronspan.installation.others" -}}
{{- $found := dict }}
{{- range $binding := (lookup "rbac.authorization.k8s.io/v1" "ClusterRoleBinding" "" "").items }}
{{- $labels := $binding.metadata.labels | default dict }}
{{- $annotations := $binding.metadata.annotations | default dict }}
{{- $release := get $labels "app.kubernetes.io/instance" }}
{{- if and $release (regexMatch (printf "^%s-[0-9]" $.Chart.Name) (get $labels "helm.sh/chart")) (has (get $labels "app.kubernetes.io/component") (list "installation" "operator")) }}
{{- $subject := first ($binding.subjects | default (list dict)) }}
{{- $made := regexFind "[^:]+:[^:]+$" $binding.roleRef.name | splitList ":" | first }}
{{- $kept := get $annotations "meta.helm.sh/release-namespace" }}
{{- $place := $kept | default (get $subject "namespace") | default $made }}
{{- if or (ne $release $.Release.Name) (ne $place (empty $kept | ternary (include "neuronspan.namespace" $) $.Release.Namespace)) }}
{{- $_ := set $found (printf "release %q in namespace %q" $release $place) true }}
{{- end }}
{{- end }}
{{- end }}
{{- keys $found | sortAlpha | toYaml }}
{{- end }}
