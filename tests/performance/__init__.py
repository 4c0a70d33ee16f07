"""What the runtime promises about speed and memory, measured and compared with limits: `python -m performance`."""
