"""Answers over HTTP: probes, metrics, and whatever else an agent serves.

Law: whoever can reach the port costs a bounded amount of memory and cannot keep others from being answered.
"""
