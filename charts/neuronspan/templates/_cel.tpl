{{/* CEL that Kubernetes 1.30 lacks. The policies that guard what is ours are the same on every supported version. */}}

{{/* CEL: the texts of a list in order, each once, of lists up to 32. For sentences; a decision takes the list as it is. */}}
{{- define "neuronspan.cel.sorted" -}}
[{{ range $rank := until 32 }}{{ if $rank }}, {{ end }}{{ $rank }}{{ end }}].map(rank, {{ . }}.filter(k, {{ . }}.filter(o, o < k).size() == rank)).filter(l, l.size() > 0).map(l, l[0])
{{- end }}
