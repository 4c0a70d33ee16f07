"""A simulated cluster on virtual time: nodes, operators and the promises that are checked after each step."""
