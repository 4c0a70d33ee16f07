"""torch's own database of operators, run on the device and compared with the CPU."""
