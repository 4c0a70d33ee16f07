"""How long a compiled program would take on a NeuronCore: its work is counted, and divided by the rates of the core.

Law: nothing here changes a result; without NEURONSPAN_TIME=device or the command `cost` none of it is imported.
Doors: ``pricing``, ``report``.
"""
