"""The operator: plans which NeuronCores each pod gets, and writes that down where the API server checks it.

Reading order: planning (what is decided), reconciler (how it is carried out), watch_cache (what is known),
kube (the door to the API server), handlers (NeuronPools, through kopf), __main__.
"""
