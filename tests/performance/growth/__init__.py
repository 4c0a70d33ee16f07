"""How costs grow with the cluster: measured curves and their fits, and a model of what comes past them.

Law: curves are measured, and the model is fed with measured costs; `python -m performance.growth` writes both into the
page.
"""
