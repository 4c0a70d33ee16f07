"""The operator: plans which NeuronCores each pod gets, and writes that down where the API server checks it.

Reading order: planning (what is decided), reconciler (how it is carried out), world (what is known), handlers
(NeuronPools, through kopf), __main__.
"""
