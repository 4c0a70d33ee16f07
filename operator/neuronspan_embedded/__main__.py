"""Starts `neuronspan`, the command."""

from neuronspan_embedded.command import trying

if __name__ == "__main__":
    trying.main(prog_name="neuronspan")
