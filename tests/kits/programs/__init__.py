"""What the programs in tests/programs share: how they are found and run, and how they compare with a fresh CPU run."""
