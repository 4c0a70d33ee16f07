{{/*
What can be wrong with a request, in CEL: one variable per kind of mistake, each a list of sentences that name the thing, the
value and the way out. They follow the variables of _requests.tpl and take the same dict.
*/}}
{{- define "neuronspan.requests.sentences" -}}
{{- $cores := include "neuronspan.limits.cores" .root | int }}
{{- $devices := include "neuronspan.limits.devices" .root | int }}
- name: unknownAnnotations
  expression: >-
    variables.ours.filter(k, !(k in [{{ include "neuronspan.annotations.ofUsers" . }}, {{ include "neuronspan.annotations.ofOperator" . }}])
    && !(k.contains('/') && {{ include "neuronspan.annotations.isOfAContainer" . }}))
    .map(k, {{ include "neuronspan.annotations.isOfAContainer" . }}
    ? 'annotation ' + k + ' names no container: write ' + k + '/CONTAINER, where CONTAINER is one of '
    + variables.containers.map(c, string(c.name)).join(', ')
    : 'annotation ' + k + ' does not exist: use one of '
    + (k.startsWith('neuronspan.dev') ? [{{ include "neuronspan.annotations.ofUsers" . }}].join(', ')
    + ', {{ include "neuronspan.annotations.perContainer" . }}'
    : '{{ include "neuronspan.annotations.perContainer" . }}'.replace('CONTAINER', k.contains('/') ? k.split('/')[1] : 'CONTAINER')))
- name: labels # annotations that were written as labels: nobody reads them there
  expression: >-
    (has({{ .metadata }}.labels) ? {{ .metadata }}.labels : {}).filter(k, k in [{{ include "neuronspan.annotations.ofUsers" . }}]
    || {{ include "neuronspan.annotations.isOfAContainer" . }}).sort()
    .map(k, 'label ' + k + ' means nothing: write it into the annotations')
- name: copiedDecisions
  expression: >-
    variables.ours.filter(k, k in [{{ include "neuronspan.annotations.ofOperator" . }}])
    .map(k, 'annotation ' + k + ' is written by the operator alone, once it has decided: remove it')
- name: badCounts
  expression: >-
    variables.wishes.filter(w, !(w.by in ['neuronspan.dev/visible-cores', 'neuronspan.dev/group-sizes'])
    && (w.count < 1 || w.count > variables.most[w.resource]))
    .map(w, variables.shown[w.by] + (w.count < 1 ? ': write ' : ', and no node has so many: write ')
    + (w.resource == 'aws.amazon.com/neuron' ? 'a whole number of Neuron devices from 1 to {{ $devices }}'
    : 'a whole number of NeuronCores from 1 to {{ $cores }}'))
- name: badVisibleCores
  expression: >-
    variables.wishes.filter(w, w.by == 'neuronspan.dev/visible-cores'
    && (w.count < 1 || int(w.value.split('-')[w.value.contains('-') ? 1 : 0]) >= {{ $cores }}))
    .map(w, variables.shown[w.by]
    + (w.count < 1 ? ', which is not one run of NeuronCores: write the first and the last core, for example "4-7", or one core'
    : ', and no node has so many cores: the highest core is {{ sub $cores 1 }}'))
- name: badGroupSizes
  expression: >-
    variables.wishes.filter(w, w.by == 'neuronspan.dev/group-sizes' && (w.count < 1 || w.count > {{ $cores }}))
    .map(w, variables.shown[w.by]
    + (w.count < 1 ? ': write the cores of each group, for example "3,4,1", or "4x2" for four groups of two'
    : ', together ' + string(w.count) + ' NeuronCores, and no node has so many: make the sum at most {{ $cores }}'))
- name: badChoices
  expression: >-
    variables.ours.filter(k, {{ include "neuronspan.annotations.isBadChoice" . }})
    .map(k, variables.shown[k] + ({{ include "neuronspan.annotations.choices" . }}))
- name: badPodGroup
  expression: >-
    variables.ours.filter(k, (k == 'neuronspan.dev/pod-group'
    && !variables.annotations[k].matches('{{ include "neuronspan.annotations.pattern.pod-group" . }}'))
    || (k == 'neuronspan.dev/pod-group-size' && !variables.annotations[k].matches('{{ include "neuronspan.annotations.pattern.pod-group-size" . }}')))
    .map(k, variables.shown[k] + (k == 'neuronspan.dev/pod-group'
    ? ': write a name of at most 63 lower-case letters, digits, "-" and "."'
    : ': write the number of pods in the group, from 1 to 9999'))
    + (('neuronspan.dev/pod-group' in variables.annotations) == ('neuronspan.dev/pod-group-size' in variables.annotations) ? []
    : ['annotations neuronspan.dev/pod-group and neuronspan.dev/pod-group-size belong together: write both or neither'])
- name: unknownContainers
  expression: >-
    variables.wishes.filter(w, w.by.split('/')[0] != 'neuronspan.dev' && !variables.containers.exists(c, c.name == w.container))
    .map(w, 'annotation ' + w.by + ' names container "' + w.container + '", which the pod does not have: use one of '
    + variables.containers.map(c, string(c.name)).join(', '))
- name: badContainer # a plain init container ends before the pod runs, and hands its devices on
  expression: >-
    'neuronspan.dev/container' in variables.annotations && !variables.containers.exists(c, !c.init && c.name == variables.main)
    ? [variables.shown['neuronspan.dev/container'] + ', which is no container or sidecar of the pod: use one of '
    + variables.containers.filter(c, !c.init).map(c, string(c.name)).join(', ')] : []
- name: unknownLimits
  expression: >-
    variables.containers.map(c, c.limits.map(r, r).filter(r, r.startsWith('aws.amazon.com/neuron') && !(r in [{{ include "neuronspan.annotations.resources" . }}])).sort()
    .map(r, 'container "' + c.name + '" has the limit ' + r
    + ', which no node has: use aws.amazon.com/neuroncore for NeuronCores, or aws.amazon.com/neuron for whole Neuron devices')).flatten()
# A limit of none asks for nothing, unless an annotation asks for the same container: then the two disagree.
- name: limits # what the containers' resource limits ask for
  expression: >-
    [{{ include "neuronspan.annotations.resources" . }}].map(r, variables.containers.filter(c,
    r in c.limits && (quantity(string(c.limits[r])).isGreaterThan(quantity('0')) || variables.readable.exists(w, w.container == c.name))).map(c, {
    'by': dyn('limit ' + r), 'value': dyn(string(quantity(string(c.limits[r])).asInteger())), 'container': dyn(c.name), 'resource': dyn(r),
    'count': dyn(quantity(string(c.limits[r])).asInteger())})).flatten()
- name: badLimits
  expression: >-
    variables.limits.filter(w, w.count > variables.most[w.resource])
    .map(w, 'container "' + w.container + '" has the ' + w.by + ': ' + w.value + ', and no node has so many: write a number from 1 to '
    + string(variables.most[w.resource]))
- name: every # all wishes that can be read, from annotations and from limits
  expression: variables.readable + variables.limits
- name: contradictions
  expression: >-
    variables.containers.filter(c, variables.every.exists(a, a.container == c.name
    && variables.every.exists(b, b.container == c.name && (b.resource != a.resource || b.count != a.count))))
    .map(c, 'container "' + c.name + '" is asked for by '
    + variables.every.filter(w, w.container == c.name).map(w, string(w.by) + ': ' + string(w.value)).join(' and by ')
    + (variables.every.filter(w, w.container == c.name).map(w, string(w.resource)).distinct().size() > 1
    ? ': a container has NeuronCores or whole Neuron devices, not both, so keep one of them'
    : ', which disagree: keep one of them, or make them equal'))
- name: asking # per resource, the containers that ask, in order: kubelet keeps one reuse set per resource
  expression: >-
    [{{ include "neuronspan.annotations.resources" . }}].map(r, variables.containers.map(c,
    variables.every.filter(w, w.container == c.name && w.resource == r)
    .map(w, {'name': dyn(c.name), 'init': dyn(c.init), 'count': dyn(w.count), 'by': dyn(w.by)})).filter(l, l.size() > 0).map(l, l[0]))
- name: splitReuse
  expression: >-
    size(variables.contradictions) > 0 ? [] : variables.asking.map(l, l.transformList(i, a, i > 0 && l[i - 1].init && a.count < l[i - 1].count,
    'container "' + a.name + '" asks for ' + string(a.count) + ' after init container "' + l[i - 1].name + '" with '
    + string(l[i - 1].count) + ': it would be given a random part of these, which need not be contiguous; ask for at least '
    + string(l[i - 1].count) + ' in "' + a.name + '", or for at most ' + string(a.count) + ' in "' + l[i - 1].name + '"')).flatten()
- name: longChains # more than the CRD of NeuronNode stores of one grant
  expression: >-
    variables.asking.filter(l, l.filter(a, a.init).size() > 64).map(l, string(l.filter(a, a.init).size())
    + ' init containers ask for the same Neuron resource, and a grant names at most 64: do several steps in one container')
- name: badPlace
  expression: >-
    has({{ .spec }}.nodeName) && {{ .spec }}.nodeName != '' && (size(variables.wishes) > 0 || size(variables.limits) > 0)
    ? ['spec.nodeName is "' + {{ .spec }}.nodeName
    + '", but a pod that asks for NeuronCores gets its node together with its cores: remove spec.nodeName and write spec.nodeSelector kubernetes.io/hostname: '
    + {{ .spec }}.nodeName + ' instead'] : []
- name: badBinder # whoever chooses the node
  expression: >-
    size(variables.wishes) == 0 && size(variables.limits) == 0
    ? (variables.scheduler == 'neuronspan'
    ? ['spec.schedulerName is "neuronspan", which schedules pods that ask for NeuronCores, and no container asks for any: add neuronspan.dev/cores, or remove spec.schedulerName']
    : [])
    {{- if include "neuronspan.guests.enabled" .root }}
    : variables.claims && variables.scheduler == 'neuronspan'
    ? ['spec.schedulerName is "neuronspan", which cannot allocate the pod\'s resource claims: remove spec.schedulerName']
    {{- else }}
    : variables.claims
    ? ['spec.resourceClaims are allocated by the cluster\'s own scheduler, and pods that ask for NeuronCores are bound by neuronspan: remove spec.resourceClaims, or have such pods let in with the chart value guests.enabled=true']
    : variables.guest
    ? ['spec.schedulerName is "' + variables.scheduler + '", but pods that ask for NeuronCores are bound by neuronspan: remove spec.schedulerName, or have such pods let in with the chart value guests.enabled=true']
    {{- end }}
    : !variables.guest && has({{ .spec }}.schedulingGates) && {{ .spec }}.schedulingGates.exists(g, g.name == 'neuronspan.dev/cores')
    ? ['scheduling gate neuronspan.dev/cores is for pods that another scheduler binds, and nobody would ever remove it here: leave it out']
    : []
- name: pointless
  expression: >-
    size(variables.wishes) > 0 || size(variables.limits) > 0 ? []
    : variables.ours.filter(k, k in [{{ include "neuronspan.annotations.sayHow" . }}])
    .map(k, 'annotation ' + k + ' says how NeuronCores are given, but no container asks for any: add neuronspan.dev/cores, or remove it')
- name: problems
  expression: >-
    [variables.unknownAnnotations, variables.labels, variables.copiedDecisions, variables.badCounts, variables.badVisibleCores, variables.badGroupSizes,
    variables.badChoices, variables.badPodGroup, variables.unknownContainers, variables.badContainer, variables.unknownLimits, variables.badLimits,
    variables.contradictions, variables.splitReuse, variables.longChains, variables.badPlace, variables.badBinder, variables.pointless].flatten()
{{- end }}
