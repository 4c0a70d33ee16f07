"""Why pods have no cores, and what would make them fit; the answers are kept and renewed by what changed. Pure.

Law: a kept answer is the one that a look at everything would give.
Door: ``explainer``.
"""
