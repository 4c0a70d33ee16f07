"""What comes back from carrying out a plan."""

import dataclasses

from neuronspan_operator.planning import plans


@dataclasses.dataclass(slots=True)
class Report:
    """Whether the plan was made on a state that is no longer true, and what people should know."""

    stale: bool = False
    notices: list[plans.Notice] = dataclasses.field(default_factory=list)
