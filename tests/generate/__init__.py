"""Writes every list that the chart and the documentation share with the domain: by hand each is written once."""
