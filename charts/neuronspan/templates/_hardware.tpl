{{/*
What the checks of the values must know of the instance types: physical NeuronCores, devices, and whether cores can be joined
(LNC 2). tests/chart compares this with the catalogue of the domain.
*/}}
{{- define "neuronspan.instanceTypes" -}}
inf1.xlarge: {cores: 4, devices: 1, joins: false}
inf1.2xlarge: {cores: 4, devices: 1, joins: false}
inf1.6xlarge: {cores: 16, devices: 4, joins: false}
inf1.24xlarge: {cores: 64, devices: 16, joins: false}
inf2.xlarge: {cores: 2, devices: 1, joins: false}
inf2.8xlarge: {cores: 2, devices: 1, joins: false}
inf2.24xlarge: {cores: 12, devices: 6, joins: false}
inf2.48xlarge: {cores: 24, devices: 12, joins: false}
trn1.2xlarge: {cores: 2, devices: 1, joins: false}
trn1.32xlarge: {cores: 32, devices: 16, joins: false}
trn1n.32xlarge: {cores: 32, devices: 16, joins: false}
trn2.3xlarge: {cores: 8, devices: 1, joins: true}
trn2.48xlarge: {cores: 128, devices: 16, joins: true}
trn2u.48xlarge: {cores: 128, devices: 16, joins: true}
trn3pd98.3xlarge: {cores: 8, devices: 1, joins: true}
trn3e.24xlarge: {cores: 32, devices: 4, joins: true}
trn3.48xlarge: {cores: 128, devices: 16, joins: true}
{{- end }}
