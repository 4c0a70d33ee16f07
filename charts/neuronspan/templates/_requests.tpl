{{/*
What a pod asks for, in CEL. The same variables serve the mutation (which turns annotations into resource limits) and the
validations (which speak about what is wrong), so that the two can never read a pod differently. The annotations themselves, with
their values, come from _annotations.tpl.
Every template takes a dict: root = the chart's root context, metadata and spec = CEL expressions of the pod's (or the pod
template's) metadata and spec, first = the container that is meant where the pod does not say it, by default the first one.
*/}}

{{/* CEL: the init containers, an empty list when there are none. */}}
{{- define "neuronspan.requests.initContainers" -}}
(has({{ .spec }}.initContainers) ? {{ .spec }}.initContainers : [])
{{- end }}

{{/* CEL: the containers, an empty list for a pod without any, which the API server refuses, but only after it has asked us. */}}
{{- define "neuronspan.requests.containers" -}}
(has({{ .spec }}.containers) && {{ .spec }}.containers != null ? {{ .spec }}.containers : [])
{{- end }}

{{/* CEL: does any container ask by resource limits? A limit of 0 asks for nothing. */}}
{{- define "neuronspan.requests.limitsAsk" -}}
({{ include "neuronspan.requests.initContainers" . }} + {{ include "neuronspan.requests.containers" . }}).exists(c,
  has(c.resources) && has(c.resources.limits) && [{{ include "neuronspan.annotations.resources" . }}].exists(r,
  r in c.resources.limits && quantity(string(c.resources.limits[r])).isGreaterThan(quantity('0'))))
{{- end }}

{{/* CEL: does the pod ask for cores or devices, by annotation or by limits? */}}
{{- define "neuronspan.requests.podAsks" -}}
(has({{ .metadata }}.annotations) && {{ .metadata }}.annotations.exists(k, {{ include "neuronspan.annotations.asks" . }}))
|| {{ include "neuronspan.requests.limitsAsk" . }}
{{- end }}

{{/*
CEL: has a pod that asks all that the mutation gives? Each container that an annotation asks for has a limit or request of ours, and
a pod-wide annotation says which one it means.
*/}}
{{- define "neuronspan.requests.podIsDone" -}}
has({{ .metadata }}.labels) && {{ .metadata }}.labels[?'neuronspan.dev/managed'].orValue('') == 'true'
&& ((has({{ .spec }}.nodeName) && {{ .spec }}.nodeName != '')
  || (has({{ .spec }}.schedulerName) && {{ .spec }}.schedulerName == 'neuronspan')
  || (has({{ .spec }}.schedulingGates) && {{ .spec }}.schedulingGates.exists(g, g.name == 'neuronspan.dev/cores')))
&& (!has({{ .metadata }}.annotations) || {{ .metadata }}.annotations.all(k, !{{ include "neuronspan.annotations.asks" . }}
  || [{{ include "neuronspan.annotations.container" . }} : {{ .metadata }}.annotations[?'neuronspan.dev/container'].orValue('')].all(name,
  name != '' && ({{ include "neuronspan.requests.initContainers" . }} + {{ include "neuronspan.requests.containers" . }}).all(c, c.name != name
  || (has(c.resources) && [{{ include "neuronspan.annotations.resources" . }}].exists(r,
  (has(c.resources.limits) && r in c.resources.limits) || (has(c.resources.requests) && r in c.resources.requests)))))))
{{- end }}

{{/*
CEL: is it the request that most pods make, once the mutation has seen it? One container with a limit of NeuronCores, perhaps one
annotation that says the same, and nothing else of ours: the sentences of _sentences.tpl find nothing wrong in it, and to ask each of
them costs the API server as much as to store the pod.
*/}}
{{- define "neuronspan.requests.podIsOrdinary" -}}
{{ include "neuronspan.requests.containers" . }}.size() == 1 && {{ include "neuronspan.requests.initContainers" . }}.size() == 0
&& has({{ .spec }}.schedulerName) && {{ .spec }}.schedulerName == 'neuronspan'
&& !has({{ .spec }}.resourceClaims) && !has({{ .spec }}.nodeName) && !has({{ .spec }}.schedulingGates)
&& has({{ .spec }}.containers[0].resources) && has({{ .spec }}.containers[0].resources.limits)
&& {{ .spec }}.containers[0].resources.limits.all(r, r == 'aws.amazon.com/neuroncore' || !r.startsWith('aws.amazon.com/neuron'))
&& [string({{ .spec }}.containers[0].resources.limits[?'aws.amazon.com/neuroncore'].orValue(''))].all(count,
  count.matches('{{ include "neuronspan.annotations.pattern.cores" . }}') && int(count) <= {{ include "neuronspan.limits.cores" .root }}
  && (!has({{ .metadata }}.annotations) || {{ .metadata }}.annotations.all(k, !{{ include "neuronspan.annotations.isOurs" . }}
    || (k == 'neuronspan.dev/cores' && {{ .metadata }}.annotations[k] == count)
    || (k == 'neuronspan.dev/container' && {{ .metadata }}.annotations[k] == {{ .spec }}.containers[0].name))))
&& (!has({{ .metadata }}.labels) || {{ .metadata }}.labels.all(k, k == 'neuronspan.dev/managed' || !{{ include "neuronspan.annotations.isOurs" . }}))
{{- end }}

{{/* CEL: does the pod ask, or carry any annotation or label of ours, or a limit that looks like ours, or name our scheduler? */}}
{{- define "neuronspan.requests.podConcernsUs" -}}
(has({{ .metadata }}.annotations) && {{ .metadata }}.annotations.exists(k, {{ include "neuronspan.annotations.isOurs" . }}))
|| (has({{ .metadata }}.labels) && {{ .metadata }}.labels.exists(k, {{ include "neuronspan.annotations.isOurs" . }}))
|| (has({{ .spec }}.schedulerName) && {{ .spec }}.schedulerName == 'neuronspan')
|| ({{ include "neuronspan.requests.initContainers" . }} + {{ include "neuronspan.requests.containers" . }}).exists(c,
  has(c.resources) && has(c.resources.limits) && c.resources.limits.exists(r, r.startsWith('aws.amazon.com/neuron')))
{{- end }}

{{/* CEL: does the pod ask, and lack something that the mutation gives? One condition, because the API server evaluates them all. */}}
{{- define "neuronspan.requests.podLacks" -}}
({{- include "neuronspan.requests.podAsks" . | nindent 2 }})
&& {{ include "neuronspan.requests.containers" . }}.size() > 0
&& !({{- include "neuronspan.requests.podIsDone" . | nindent 2 }})
{{- end }}

{{/* Match conditions: new pods that have to be looked at. CEL of Kubernetes 1.29: webhooks of all versions use them, too. */}}
{{- define "neuronspan.requests.podConditions" -}}
- name: concerns-us-and-may-be-wrong
  expression: |-
    ({{- include "neuronspan.requests.podConcernsUs" . | nindent 4 }})
    && !({{- include "neuronspan.requests.podIsOrdinary" . | nindent 4 }})
- name: not-a-mirror # kubelet has already started a static pod when it reports it: refusing would only hide it
  expression: "!(has(object.metadata.annotations) && 'kubernetes.io/config.mirror' in object.metadata.annotations)"
{{- end }}

{{/* Match conditions: workloads whose pod template is new and concerns us. CEL of Kubernetes 1.29. Takes the root context. */}}
{{- define "neuronspan.requests.workloadConditions" -}}
{{- $template := "(has(object.spec.jobTemplate) ? object.spec.jobTemplate.spec.template : object.spec.template)" }}
{{- $old := "(has(oldObject.spec.jobTemplate) ? oldObject.spec.jobTemplate.spec.template : oldObject.spec.template)" }}
{{- $inline := dict "root" . "metadata" (printf "%s.metadata" $template) "spec" (printf "%s.spec" $template) }}
{{- $ours := include "neuronspan.annotations.isOurs" . }}
- name: new # what is stored already must stay scalable, labelable and deletable
  expression: |-
    request.operation == 'CREATE' || {{ $template }} != {{ $old }}
    || (has(object.metadata.annotations) && object.metadata.annotations.exists(k, {{ $ours }}
      && !(has(oldObject.metadata.annotations) && k in oldObject.metadata.annotations)))
    || (has(object.spec.jobTemplate) && has(object.spec.jobTemplate.metadata) && has(object.spec.jobTemplate.metadata.annotations)
      && object.spec.jobTemplate.metadata.annotations.exists(k, {{ $ours }}
      && !(has(oldObject.spec.jobTemplate.metadata) && has(oldObject.spec.jobTemplate.metadata.annotations)
      && k in oldObject.spec.jobTemplate.metadata.annotations)))
- name: concerns-us
  expression: |-
    {{- include "neuronspan.requests.podConcernsUs" $inline | nindent 4 }}
    || (has(object.metadata.annotations) && object.metadata.annotations.exists(k, {{ $ours }}))
    || (has(object.spec.jobTemplate) && has(object.spec.jobTemplate.metadata) && has(object.spec.jobTemplate.metadata.annotations)
      && object.spec.jobTemplate.metadata.annotations.exists(k, {{ $ours }}))
{{- end }}

{{/* Variables that read the request; a count of 0 stands for a value that cannot be read. */}}
{{- define "neuronspan.requests.variables" -}}
- name: annotations
  expression: "has({{ .metadata }}.annotations) ? {{ .metadata }}.annotations : {}"
- name: ours # keys of our annotations, in order, so that sentences come in the same order each time
  expression: >-
    variables.annotations.filter(k, {{ include "neuronspan.annotations.isOurs" . }}).sort()
- name: shown # our annotations as sentences quote them: on one line and not too long
  expression: >-
    variables.annotations.transformMap(k, v, {{ include "neuronspan.annotations.isOurs" . }},
    'annotation ' + k + ' is "' + (v.size() > 60 ? v.substring(0, 60) + '...' : v).replace('\n', ' ') + '"')
- name: containers # in the order in which kubelet starts them; init = its devices go to the next container when it ends
  expression: >-
    {{ include "neuronspan.requests.initContainers" . }}.map(c, {'name': dyn(c.name),
    'init': dyn(!(has(c.restartPolicy) && c.restartPolicy == 'Always')),
    'limits': dyn(has(c.resources) && has(c.resources.limits) ? c.resources.limits : {}),
    'requests': dyn(has(c.resources) && has(c.resources.requests) ? c.resources.requests : {})})
    + {{ .spec }}.containers.map(c, {'name': dyn(c.name), 'init': dyn(false),
    'limits': dyn(has(c.resources) && has(c.resources.limits) ? c.resources.limits : {}),
    'requests': dyn(has(c.resources) && has(c.resources.requests) ? c.resources.requests : {})})
- name: main # the container that pod-wide annotations mean
  expression: >-
    'neuronspan.dev/container' in variables.annotations ? variables.annotations['neuronspan.dev/container']
    : {{ .first | default (printf "string(%s.containers[0].name)" .spec) }}
- name: scheduler # the one that the pod names, if it is not the cluster's own
  expression: >-
    has({{ .spec }}.schedulerName) && {{ .spec }}.schedulerName != 'default-scheduler' ? {{ .spec }}.schedulerName : ''
- name: claims # does it have resource claims? The cluster's scheduler allocates them together with the node
  expression: has({{ .spec }}.resourceClaims) && size({{ .spec }}.resourceClaims) > 0
- name: guest # somebody else binds it
  expression: variables.claims || !(variables.scheduler in ['', 'neuronspan'])
- name: wishes # what each asking annotation asks for
  expression: >-
    variables.ours.filter(k, {{ include "neuronspan.annotations.asks" . }}).map(k, {
    'by': dyn(k), 'value': dyn(variables.annotations[k]),
    'container': dyn({{ include "neuronspan.annotations.container" . }} : variables.main),
    'resource': dyn({{ include "neuronspan.annotations.asksForDevices" . }}
      ? 'aws.amazon.com/neuron' : 'aws.amazon.com/neuroncore'),
    'count': dyn(variables.annotations[k].size() > 256 ? 0
      : k == 'neuronspan.dev/visible-cores'
      ? (variables.annotations[k].matches('{{ include "neuronspan.annotations.pattern.visible-cores" . }}')
        ? int(variables.annotations[k].split('-')[variables.annotations[k].contains('-') ? 1 : 0])
          - int(variables.annotations[k].split('-')[0]) + 1
        : 0)
      : k == 'neuronspan.dev/group-sizes'
      ? (variables.annotations[k].matches('{{ include "neuronspan.annotations.pattern.group-sizes" . }}')
        ? variables.annotations[k].split(',').map(g,
          g.contains('x') ? int(g.split('x')[0]) * int(g.split('x')[1]) : int(g)).sum()
        : 0)
      : variables.annotations[k].matches('{{ include "neuronspan.annotations.pattern.cores" . }}') ? int(variables.annotations[k]) : 0)
    })
- name: most # of each resource on one node
  expression: >-
    {'aws.amazon.com/neuroncore': {{ include "neuronspan.limits.cores" .root }}, 'aws.amazon.com/neuron': {{ include "neuronspan.limits.devices" .root }}}
- name: readable # wishes that a node could hold
  expression: >-
    variables.wishes.filter(w, w.count >= 1 && w.count <= variables.most[w.resource])
{{- end }}
