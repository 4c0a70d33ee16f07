"""Small deliberate bugs, each with the tests that must notice it: ``python -m mutants`` tries them all.

Law: a bug is one exact text in one file and what takes its place; the checkout itself is never changed.
"""
