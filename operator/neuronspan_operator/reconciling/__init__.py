"""The loop that gives out cores: collect changes, plan, carry the plan out, report.

Law: it writes what the planner decided, in the plan's order, and decides nothing but when to try again.
Door: ``reconciler``.
"""
