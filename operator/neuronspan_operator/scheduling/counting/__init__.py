"""Who is where, summed up: what filters need to know beyond one node, kept while pods and nodes come and go.

Law: pure; sums are equal to sums made anew at any time, and a pod costs only those that could count it.
"""
