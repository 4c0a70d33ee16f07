"""The steps of a plan, in the order of trust that ``planner`` states; each adds its decisions to one draft.

Law: a stage is a module with a ``run``; no stage knows another one.
"""
