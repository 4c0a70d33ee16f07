"""What people and autoscalers are told of pods: conditions and Events, and which writes the API server refuses.

Law: it delays nothing else, and asks no more of the API server than its own rates allow; ``notices`` has the
sentences.
Doors: ``conditions``, ``recorder``, ``refusals``, ``voice``.
"""
