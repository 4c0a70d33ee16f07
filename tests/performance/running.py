"""Each case in a fresh process, with a machine of its own: 16 free NeuronCores of a trn2, nobody else's state."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from performance import sampling

INSTANCE_TYPE = "trn2.48xlarge"
GRANT = "0-15"


def samples_of(case: str) -> sampling.Samples:
    """Run a case and return what it measured. Raises CalledProcessError when it fails."""
    with tempfile.TemporaryDirectory() as scratch:
        destination = pathlib.Path(scratch) / "samples.json"
        environment = dict(os.environ)  # noqa: TID251 - the environment of a fresh process
        environment |= {
            "NEURONSPAN_STATE_DIR": scratch,
            "NEURONSPAN_INSTANCE_TYPE": INSTANCE_TYPE,
            "NEURONSPAN_GRANT": GRANT,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        command = [sys.executable, "-m", "performance.case", case, str(destination)]
        subprocess.run(command, env=environment, check=True)
        samples: sampling.Samples = json.loads(destination.read_text(encoding="utf-8"))
        return samples
