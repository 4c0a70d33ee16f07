# ruff: noqa: N818 - the name says what happened (PartEnded), the base class says that it is an error
"""Everything the operator itself raises, as one tree.

AgentError            neuronspan_agent.errors: settings, pages, API server
└── OperatorError
    └── PartEnded     a part of the process ended that should run for ever
"""

from neuronspan_agent import errors as agent_errors


class OperatorError(agent_errors.AgentError):
    """The operator cannot do what it was asked."""


class PartEnded(OperatorError):
    """A part of the process that should run for ever has ended; its own error is the cause."""
