"""The structure of the packages, measured from their own imports: ``python -m house`` prints it.

Law: reads import statements, folders and docstrings; imports nothing of what it measures.
"""
