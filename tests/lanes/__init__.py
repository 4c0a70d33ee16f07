"""All tests in pytest runs side by side, one per lane: tests that compute beside tests that wait for a cluster.

Law: a lane is the pytest run that one would type, in its order; all of them end before the verdict, which is one line
in pytest's own words and an exit status that is 0 only when each lane's is.
"""
