"""Pods that the cache does not have: which ones are gone for certain, and which ones are there after all.

Law: a pod is gone when its deletion was watched, or when the API server was asked and has it no more. That a cache
lacks it proves nothing: the cache may be behind.
"""

from collections.abc import Callable, Container, Iterator, Mapping

from neuronspan_operator.objects import pods

FOUND_SECONDS = 5.0
"""How long an answer about a pod that our cache lacks is good: then it is asked for again."""


class Absences:
    """By UID; ``clock`` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._gone: set[str] = set()
        self._found: dict[str, tuple[pods.PodView, float]] = {}  # the one that expires first comes first

    def gone(self, uid: str) -> None:
        """Note that the pod does not exist any more."""
        self._gone.add(uid)
        self._found.pop(uid, None)

    def found(self, pod: pods.PodView) -> None:
        """Note that the API server has the pod."""
        self._found.pop(pod.uid, None)
        self._found[pod.uid] = pod, self._clock() + FOUND_SECONDS

    def saw(self, pod: pods.PodView) -> None:
        """Take a newer version of a pod, if it is one that was found."""
        if pod.uid in self._found:
            self._found[pod.uid] = pod, self._found[pod.uid][1]

    # --- what there is -------------------------------------------------------------------------------------------

    def newest(self, uid: str, cached: pods.PodView | None) -> pods.PodView | None:
        """Return the cached pod, or without one what was found; what the cache has is found and gone no more."""
        if cached is not None:
            self._found.pop(uid, None)
        pod, expires = self._found.get(uid, (cached, float("inf")))
        newest = pod if expires > self._clock() else None
        if newest is not None:
            self._gone.discard(uid)  # it is back, as from a backup of etcd
        return newest

    def completed(self, cached: Mapping[str, pods.PodView]) -> dict[str, pods.PodView]:
        """Return the cached pods and those that were found beside them."""
        beside = {uid: self.newest(uid, cached.get(uid)) for uid in tuple(self._found)}
        return {uid: pod for uid, pod in beside.items() if pod is not None} | dict(cached)

    def is_gone(self, uid: str) -> bool:
        """Whether the pod is known not to exist any more, as far as ``newest`` was asked for it since."""
        return uid in self._gone

    def gone_beside(self, cached: Container[str]) -> frozenset[str]:
        """Return the pods that are gone; one that the cache has is back."""
        self._gone = {uid for uid in self._gone if uid not in cached}
        return frozenset(self._gone)

    # --- what is forgotten ---------------------------------------------------------------------------------------

    def expired(self) -> Iterator[str]:
        """Yield each found pod whose answer is too old by now, once."""
        now = self._clock()
        while self._found and (first := next(iter(self._found.items())))[1][1] <= now:
            del self._found[first[0]]
            yield first[0]

    def keep_only(self, uids: Container[str]) -> frozenset[str]:
        """Forget the pods that nobody asks for any more; returns them."""
        forgotten = frozenset(uid for uid in self._gone if uid not in uids)
        self._gone -= forgotten
        return forgotten

    def next_question(self) -> float | None:
        """Return the seconds after which a pod has to be asked for again, None when there is none."""
        first = next(iter(self._found.values()), None)
        return None if first is None else max(0.0, first[1] - self._clock())
