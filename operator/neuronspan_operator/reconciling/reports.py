"""What comes back from carrying out a plan."""

import dataclasses

from neuronspan_operator.planning import plans


@dataclasses.dataclass(slots=True)
class Report:
    """Whether the plan was made on a state that is no longer true, what people should know, and what was refused."""

    stale: bool = False
    notices: list[plans.Notice] = dataclasses.field(default_factory=list)
    refused: list[plans.Bind] = dataclasses.field(default_factory=list)  # by the API server, for what is so now
