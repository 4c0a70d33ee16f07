# ruff: noqa: N818 - the names say what is wrong (StartRefused), the base class says that it is an error
"""The runtime's error tree. Every error is a RuntimeError, because that is what callers of the AWS packages catch.

NeuronRuntimeError
├── InvalidSettings     the runtime's own settings are wrong: all problems at once
├── LibraryUnavailable  the C++ library of the device cannot be found, built or loaded
├── HardwareUnknown     no usable description of the machine or its state directory
├── ForkedProcess       a forked child used the runtime of its parent
├── StartRefused        the process cannot have the cores it asks for; `.lines` is what the log says
├── CompileRefused      torch.compile's own code generator was asked for code for NeuronCores
├── TraceRefused        the model cannot be compiled as asked
│   └── PipelineRefused it cannot be cut into as many stages
└── NotBatchable        the model's inputs do not have one batch size in dim 0

Law: words of AWS's packages and runtime are theirs to the letter; what the user can do follows them.
"""

from collections.abc import Iterable

from neuronspan_runtime import nrt_status

DOCUMENTATION = "https://awsdocs-neuron.readthedocs-hosted.com/en/latest/"

NOT_INITIALIZED = (
    "The PyTorch Neuron Runtime could not be initialized. Neuron Driver issues are logged\n"
    "to your system logs. See the Neuron Runtime's troubleshooting guide for help on this\n"
    f"topic: {DOCUMENTATION}"
)
"""What torch-neuron and torch-neuronx say whenever the runtime below them does not start."""

CORES_UNKNOWN = "Neuron runtime cannot be initialized; cannot determine the number of available NeuronCores"
"""What their placement functions say in the same situation."""


class NeuronRuntimeError(RuntimeError):
    """Base of everything the runtime raises itself."""


class InvalidSettings(NeuronRuntimeError):
    """Environment variables of the runtime that cannot be used."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class LibraryUnavailable(NeuronRuntimeError):
    """The C++ library of the device cannot be found, built or loaded."""


class HardwareUnknown(NeuronRuntimeError):
    """The machine cannot be described, or its state directory cannot be trusted."""


class ForkedProcess(NeuronRuntimeError):
    """The process was forked from one that already used the runtime."""

    def __init__(self, parent: int) -> None:
        super().__init__(
            f"The Neuron runtime was started by process {parent} and does not survive a fork: NeuronCores belong to "
            "one process. Start workers with the 'spawn' start method, or fork before the first use of a NeuronCore."
        )


class StartRefused(NeuronRuntimeError):
    """The cores asked for cannot be had; nothing is owned afterwards."""

    def __init__(
        self,
        *lines: str,
        text: str = NOT_INITIALIZED,
        status: nrt_status.NrtStatus = nrt_status.NrtStatus.FAILURE,
    ) -> None:
        self.lines = lines
        """What the log says, line by line; the real runtime's words come with the function that logs them there."""
        self.status = status
        """What `nrt_init` returns in this situation: FAILURE when cores are taken, INVALID for what can never be."""
        super().__init__(text)


class CompileRefused(NeuronRuntimeError):
    """There is no code generator for NeuronCores."""

    def __init__(self) -> None:
        super().__init__(
            'inductor generates no code for NeuronCores: use backend="neuron", which runs the captured graph, or '
            "torch_neuronx.trace, which compiles ahead of time"
        )


class TraceRefused(NeuronRuntimeError):
    """The model cannot be compiled as asked."""


class PipelineRefused(TraceRefused):
    """The model cannot be cut into as many pipeline stages as asked."""


class NotBatchable(NeuronRuntimeError):
    """The model cannot take any number of rows."""
