# ruff: noqa: N818 - the name says what happened (PartEnded), the base class says that it is an error
"""Everything the operator itself raises, as one tree.

AgentError                 neuronspan_agent.errors: settings, pages, API server
└── OperatorError
    ├── BrokenCertificate  certificate, key and authority cannot be read or do not belong together
    ├── BrokenReview       what an API server, or somebody else, posted to the webhook is no review
    └── PartEnded          a part of the process ended that should run for ever
"""

from neuronspan_agent import errors as agent_errors


class OperatorError(agent_errors.AgentError):
    """The operator cannot do what it was asked."""


class PartEnded(OperatorError):
    """A part of the process that should run for ever has ended; its own error is the cause."""


class BrokenCertificate(OperatorError):
    """Certificate, key and authority cannot be read, or do not belong together."""


class BrokenReview(OperatorError):
    """What was posted to the webhook is not an AdmissionReview that can be answered."""
