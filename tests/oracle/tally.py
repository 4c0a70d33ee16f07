"""What has been compared: how often, over which constraints, and with which result."""

import collections
import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Final

_NAME: Final = re.compile(r'"[^"]*"')


@dataclasses.dataclass(frozen=True)
class Entry:
    """What was said of one pod; a verdict is one pod on one node."""

    kinds: tuple[str, ...]  # what it asks for
    words: Mapping[str, int]  # kube-scheduler's reasons, each with its number of nodes, 0 for all
    refused_by_kind: Mapping[str, int]  # nodes by the kind of our first reason
    nodes: int
    allowed: int
    wrong: int
    documented: int  # nodes that only one of the two allows, for a documented reason
    same_words: bool


@dataclasses.dataclass
class Row:
    """The sums over some pods."""

    pods: int = 0
    verdicts: int = 0
    allowed: int = 0
    wrong: int = 0
    documented: int = 0

    def add(self, entry: Entry) -> None:
        """Count a pod."""
        self.pods += 1
        self.verdicts += entry.nodes
        self.allowed += entry.allowed
        self.wrong += entry.wrong
        self.documented += entry.documented

    def line(self, name: str) -> str:
        """Return the row of a table."""
        return f"{name:22}{self.pods:8}{self.verdicts:10}{self.allowed:10}{self.wrong:15}{self.documented:12}"


@dataclasses.dataclass
class Tally:
    """The sums over all pods."""

    clusters: int = 0
    seconds: float = 0.0
    total: Row = dataclasses.field(default_factory=Row)
    asked: dict[str, Row] = dataclasses.field(default_factory=lambda: collections.defaultdict(Row))
    refused_by_kind: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    refused_in_words: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    worded_otherwise: int = 0  # pods whose nodes are the same, and whose reasons are not
    scored: int = 0  # pods whose scores were compared, over all nodes that passed
    ranked: int = 0  # those of them for which some nodes are better than others
    scored_otherwise: int = 0

    @property
    def verdicts(self) -> int:
        """How many verdicts have been compared."""
        return self.total.verdicts

    def add(self, entry: Entry) -> None:
        """Count a pod."""
        self.total.add(entry)
        self.worded_otherwise += not entry.wrong and not entry.same_words
        for kind in entry.kinds:
            self.asked[kind].add(entry)
        self.refused_by_kind.update(entry.refused_by_kind)
        for words, nodes in entry.words.items():
            self.refused_in_words[_NAME.sub('"..."', words)] += nodes or entry.nodes

    def lines(self) -> Iterator[str]:
        """Yield tables: by what pods ask for, and by why nodes are refused."""
        yield f"{'asked for':22}{'pods':>8}{'verdicts':>10}{'allowed':>10}{'disagreements':>15}{'documented':>12}"
        for kind, row in sorted(self.asked.items()):
            yield row.line(kind)
        yield self.total.line("all")
        yield f"the reasons of {self.total.pods} pods in words: {self.worded_otherwise} disagreements"
        yield ""
        yield f"{'kube-scheduler refuses':114}{'nodes':>8}"
        for words, nodes in self.refused_in_words.most_common():
            yield f"{words:114}{nodes:8}"
        yield ""
        pace = 1000 * self.seconds / max(self.verdicts, 1)
        yield f"{self.clusters} clusters, {self.seconds:.0f} s, {pace:.1f} s per 1000 verdicts"
        yield (
            f"scores of {self.scored} pods with preferences, nodes differ for {self.ranked}: "
            f"{self.scored_otherwise} disagreements"
        )
