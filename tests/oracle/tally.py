"""What has been compared: how often, over which constraints, and with which result."""

import collections
import dataclasses
import re
from collections.abc import Iterator, Mapping

_NAME = re.compile(r'"[^"]*"')


@dataclasses.dataclass
class Tally:
    """Counts of verdicts: one verdict is one pod on one node."""

    clusters: int = 0
    pods: int = 0
    verdicts: int = 0
    allowed: int = 0
    disagreements: int = 0
    documented: int = 0  # verdicts that differ for a documented reason
    asked: dict[str, "Row"] = dataclasses.field(default_factory=lambda: collections.defaultdict(Row))
    refused: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)  # by kube-scheduler's words
    seconds: float = 0.0

    def add(
        self, kinds: tuple[str, ...], counted: Mapping[str, int], *, nodes: int, allowed: int, wrong: int, documented: int
    ) -> None:
        """Count what was said of one pod."""
        self.pods += 1
        self.verdicts += nodes
        self.allowed += allowed
        self.disagreements += wrong
        self.documented += documented
        for kind in kinds:
            row = self.asked[kind]
            row.pods += 1
            row.verdicts += nodes
            row.allowed += allowed
            row.disagreements += wrong
            row.documented += documented
        for words, count in counted.items():
            self.refused[_NAME.sub('"…"', words)] += count or nodes

    def lines(self) -> Iterator[str]:
        """Yield the lines of two tables: by what pods asked for, and by why nodes were refused."""
        yield f"{'the pod asks for':26}{'pods':>8}{'verdicts':>10}{'allowed':>9}{'disagreements':>15}{'documented':>12}"
        for kind, row in sorted(self.asked.items()):
            yield (
                f"{kind:26}{row.pods:8}{row.verdicts:10}{row.allowed:9}{row.disagreements:15}{row.documented:12}"
            )
        yield (
            f"{'all':26}{self.pods:8}{self.verdicts:10}{self.allowed:9}{self.disagreements:15}{self.documented:12}"
        )
        yield ""
        yield f"{'refused by kube-scheduler, in its words':100}{'nodes':>10}"
        for words, count in self.refused.most_common():
            yield f"{words:100}{count:10}"
        yield ""
        pace = 1000 * self.seconds / max(self.verdicts, 1)
        yield f"{self.clusters} clusters, {self.seconds:.0f} s, {pace:.1f} s per 1000 verdicts"


@dataclasses.dataclass
class Row:
    """The counts of one constraint."""

    pods: int = 0
    verdicts: int = 0
    allowed: int = 0
    disagreements: int = 0
    documented: int = 0
