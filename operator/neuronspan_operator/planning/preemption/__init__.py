"""Room for pods that wait: whose end would make it, and what is kept free for whom.

Law: only pods of lower priority are ended, only through the Eviction API, and only when the pod fits afterwards by
every filter and with its cores in one run; nobody is ended while pods that are ending anyway make the room. Cores that
become free so come by proof, like all others.
Doors: ``keeping``, ``searching``.
"""
