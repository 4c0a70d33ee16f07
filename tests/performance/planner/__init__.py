"""What the planner's decisions cost in CPU time, counted steps and memory, at several sizes; no API server takes part.

Law: what is measured is the planner as the operator drives it: changes in, a plan out, its own writes back in.
"""
