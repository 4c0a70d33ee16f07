{{/* The alerts, as a list in YAML. Takes the selector of the metrics that are this release's. */}}
{{- define "neuronspan.metrics.alerts" -}}
- alert: NeuronCoreOwnedTwice
  expr: >-
    sum by (pod) (increase(neuronspan_plugin_double_grants_total{ {{- . -}} }[15m])) > 0
  for: 0m
  severity: critical
  summary: >-
    kubelet gave one NeuronCore to two pods
  description: >-
    The device plugin {{ "{{ $labels.pod }}" }} saw kubelet give out a core that another pod holds. This must never happen; keep the plugin's log.
- alert: NeuronLedgerRefused
  expr: >-
    sum(increase(neuronspan_ledger_writes_total{ {{- . -}}, outcome="refused"}[15m])) > 0
  for: 0m
  severity: critical
  summary: >-
    the API server refuses what the operator writes into ledgers
  description: >-
    A rule of the NeuronNodes forbids a write of the operator. Pods get no cores meanwhile; the operator's log has the words.
- alert: NeuronOperatorWithoutLeader
  expr: >-
    (sum(neuronspan_leader{ {{- . -}} }) or vector(0)) != 1
  for: 5m
  severity: critical
  summary: >-
    no operator leads, or more than one
  description: >-
    Pods that ask for NeuronCores are not scheduled while nobody leads. Running pods are not affected.
- alert: NeuronOperatorRoundsFail
  expr: >-
    sum(rate(neuronspan_reconciles_total{ {{- . -}}, outcome="failed"}[10m])) > 0
  for: 10m
  severity: warning
  summary: >-
    the operator cannot end its rounds
  description: >-
    Rounds of the operator fail again and again; its log says why.
- alert: NeuronPluginCannotReport
  expr: >-
    sum by (pod) (rate(neuronspan_plugin_status_writes_total{ {{- . -}}, outcome="failed"}[10m])) > 0
  for: 15m
  severity: warning
  summary: >-
    a device plugin cannot write the status of its node
  description: >-
    The plugin {{ "{{ $labels.pod }}" }} cannot report who holds which cores, so cores of its node that pods gave back stay taken.
- alert: NeuronLedgerDrifts
  expr: >-
    sum(increase(neuronspan_drift_total{ {{- . -}} }[1h])) > 3
  for: 0m
  severity: warning
  summary: >-
    ledgers and nodes disagree again and again
  description: >-
    Containers hold other cores than the ledger says. The operator corrects that; when it goes on, something else gives out the devices.
- alert: NeuronPodsWait
  expr: >-
    sum by (reason) (neuronspan_waiting_pods{ {{- . -}} }) > 0
  for: 1h
  severity: info
  summary: >-
    pods have waited for NeuronCores for an hour
  description: >-
    {{ "{{ $value }} pods wait for the reason {{ $labels.reason }}" }}; kubectl neuron explain says what would make one fit.
{{- end }}
