"""Pods that the cache does not have: which ones are gone for certain, and which ones are there after all.

Law: a pod is gone when its deletion was watched, or when the API server was asked and has it no more. That a cache
lacks it proves nothing: the cache may be behind.
"""

from collections.abc import Callable, Container, Mapping

from neuronspan_operator.objects import pods

FOUND_SECONDS = 5.0
"""How long an answer about a pod that our cache lacks is good: then it is asked for again."""


class Absences:
    """By UID; ``clock`` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._gone: set[str] = set()
        self._found: dict[str, tuple[pods.PodView, float]] = {}

    def gone(self, uid: str) -> None:
        """Note that the pod does not exist any more."""
        self._gone.add(uid)
        self._found.pop(uid, None)

    def found(self, pod: pods.PodView) -> None:
        """Note that the API server has the pod."""
        self._found[pod.uid] = pod, self._clock() + FOUND_SECONDS

    def saw(self, pod: pods.PodView) -> None:
        """Take a newer version of a pod, if it is one that was found."""
        if pod.uid in self._found:
            self._found[pod.uid] = pod, self._found[pod.uid][1]

    def completed(self, cached: Mapping[str, pods.PodView]) -> dict[str, pods.PodView]:
        """Return the cached pods and those that were found beside them."""
        now = self._clock()
        self._found = {
            uid: (pod, expires) for uid, (pod, expires) in self._found.items() if uid not in cached and expires > now
        }
        return {uid: pod for uid, (pod, _) in self._found.items()} | dict(cached)

    def gone_beside(self, cached: Container[str]) -> frozenset[str]:
        """Return the pods that are gone; one that the cache has is back, as from a backup of etcd."""
        self._gone = {uid for uid in self._gone if uid not in cached}
        return frozenset(self._gone)

    def keep_only(self, uids: Container[str]) -> None:
        """Forget the pods that nobody asks for any more."""
        self._gone = {uid for uid in self._gone if uid in uids}

    def next_question(self) -> float | None:
        """Return the seconds after which a pod has to be asked for again, None when there is none."""
        first = min((expires for _, expires in self._found.values()), default=None)
        return None if first is None else max(0.0, first - self._clock())
