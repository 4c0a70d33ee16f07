"""The operator: plans which NeuronCores each pod gets, and writes that down where the API server checks it.

Reading order: ``planning`` (what is decided), ``reconciling`` (how it is carried out), ``cluster`` (what is known),
``pools`` (which nodes there are, through kopf), ``application``.

Law: nothing is true because it is in memory here; every write is checked by the API server against what it has stored.
"""
