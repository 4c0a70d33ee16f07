"""What `NEURONSPAN_TIME=device` predicts for models that AWS publishes benchmarks of: `python -m performance.published`."""
