"""Every value of the chart, with everything it could be set to; law: what is tried follows from the schema alone."""
