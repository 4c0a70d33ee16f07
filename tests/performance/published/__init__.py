"""What `NEURONSPAN_TIME=device` predicts for models with published benchmarks: `python -m performance.published`."""
