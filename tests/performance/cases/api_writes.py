"""What single writes cost a real API server with the chart in it, in CPU time: ledgers, and the writes of a pod."""

import pathlib
import tempfile

from kits.api_server import admission as admission_kit
from kits.api_server import control_plane as control_plane_kit
from performance import sampling
from performance.writes import ledgers, pods, turns

ROUNDS = 61


def measure() -> sampling.Samples:
    """Return milliseconds of each write, and the ratios that have limits."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        control_plane_kit.running(pathlib.Path(scratch)) as plane,
        admission_kit.installed(plane) as admission,
    ):

        def clock() -> float:
            return turns.processor_milliseconds(plane.apiserver.pid)

        written = turns.milliseconds(pods.calls(admission), ROUNDS, clock)
        samples = dict(written)
        writes = ledgers.calls(admission)
        for count in ("31", "127"):  # apart: what the longer leaves to the garbage collector would be laid on the other
            taken = turns.milliseconds({each: writes[each] for each in ("0", count)}, ROUNDS, clock)
            samples |= {f"ledger_{each}": milliseconds for each, milliseconds in taken.items()}
            samples[f"ledger_ratio_{count}"] = turns.ratios(taken[count], taken["0"])
    samples |= {
        f"{call}_ratio": turns.ratios(written[f"{call}_cores"], written[f"{call}_plain"]) for call in ("create", "bind")
    }
    return samples
