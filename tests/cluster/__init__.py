"""The test cluster from source: tools, Docker engine, node image, kind cluster and the product's images.

Law: standard library only, so that it runs before any virtual environment exists. Everything it makes lies in one
cache directory under a name that says what it was made from; making it again is a look at that name.
"""
