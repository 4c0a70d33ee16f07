"""One module per case. Each is measured in a fresh process and has a function `measure() -> Samples`."""
