# ruff: noqa: N818 - the names say what is wrong (SpanOverlap), the base class says that it is an error
"""Everything that can be wrong with a value of the domain, as one tree.

NeuronspanError
├── InvalidSpan           not a run of NeuronCores
├── NotContiguous         a set of cores with a gap
├── InvalidCoreSet        a NEURON_RT_* or NEURONCORE_GROUP_SIZES value the Neuron runtime would not start with
├── UnknownInstanceType   not in the catalogue
├── InvalidHardware       a node's hardware that cannot exist
├── InvalidDeviceId       not one of the IDs the plugin gives kubelet
├── InvalidRequest        a placement request that no node could ever serve
├── InvalidGrant          a grant with a bad field
└── LedgerError           the node's grants do not go together
    ├── SpanOverlap, SpanOutOfRange, DuplicateGrant, UnknownGrant
    └── IllegalTransition a step that the table of a grant's life does not have

Each message names the thing, the value and the way out; the fields are for code.
"""


class NeuronspanError(Exception):
    """A value of the domain is wrong."""


class InvalidSpan(NeuronspanError, ValueError):
    """Not a run of NeuronCores."""


class NotContiguous(NeuronspanError, ValueError):
    """A set of cores with a gap; ``missing`` is the first run of cores in the gap, as text."""

    def __init__(self, message: str, *, missing: str) -> None:
        super().__init__(message)
        self.missing = missing


class InvalidCoreSet(NeuronspanError, ValueError):
    """An environment value the Neuron runtime would not start with.

    ``text`` is the line the real runtime logs, ``status`` the NRT_STATUS its initialisation returns.
    """

    def __init__(self, message: str, *, text: str, status: int) -> None:
        super().__init__(message)
        self.text = text
        self.status = status


class UnknownInstanceType(NeuronspanError, LookupError):
    """An instance type that is not in the catalogue."""

    def __init__(self, message: str, *, instance_type: str) -> None:
        super().__init__(message)
        self.instance_type = instance_type


class InvalidHardware(NeuronspanError, ValueError):
    """A node's hardware that cannot exist."""


class InvalidDeviceId(NeuronspanError, ValueError):
    """Not one of the IDs the device plugin gives kubelet."""


class InvalidRequest(NeuronspanError, ValueError):
    """A placement request that no node could ever serve."""


class InvalidGrant(NeuronspanError, ValueError):
    """A grant with a bad field."""


class LedgerError(NeuronspanError):
    """The grants of one node do not go together."""


class SpanOverlap(LedgerError):
    """Two grants share a core."""


class SpanOutOfRange(LedgerError):
    """A grant reaches past the node's last core."""


class DuplicateGrant(LedgerError):
    """Two grants for the same container of the same pod."""


class UnknownGrant(LedgerError):
    """No grant for that container of that pod."""


class IllegalTransition(LedgerError):
    """A step that the life of a grant does not have."""
