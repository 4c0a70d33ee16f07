from kits.manifests import builders, domain
from neuronspan_operator.objects import pods
from neuronspan_operator.planning.drafting import kept


def _pod(name: str = "web", **fields: object) -> pods.PodView:
    return pods.read(builders.make_pod(name, cores=4, **fields))  # type: ignore[arg-type]  # any of the builder's


def _place(pod: pods.PodView, node: str = "w1", cores: str = "0-3") -> kept.Place:
    return kept.Place(pod, node, domain.spans_of(cores))


def test_pods_of_higher_priority_come_first_then_older_ones() -> None:
    found = [_pod("d", priority=-1), _pod("b"), _pod("a"), _pod("c", priority=1, created="2026-01-31T09:00:09Z")]
    assert [each.name for each in sorted(found, key=kept.rank)] == ["c", "a", "b", "d"]


def test_place_is_kept_against_pods_of_lower_rank_alone() -> None:
    places = kept.Places()
    places.keep(_place(_pod(priority=5)))
    found = {each: places.against("w1", kept.rank(_pod("other", priority=each))) for each in (4, 6)}
    assert found == {4: domain.spans_of("0-3"), 6: ()}
    assert places.against("w2", kept.rank(_pod("other"))) == ()
    assert places.against("w1", kept.rank(_pod(priority=5))) == (), "its own pod may have it"


def test_pod_has_one_place_at_a_time() -> None:
    places = kept.Places()
    pod = _pod(priority=5)
    lower = kept.rank(_pod("other"))
    places.keep(_place(pod))
    places.keep(_place(pod, "w2"))
    assert (places.against("w1", lower), places.against("w2", lower)) == ((), domain.spans_of("0-3"))
    assert places.before(lower) == {"w2"}
    places.drop(pod.uid)
    assert places.of(pod.uid) is None
    assert not places.before(lower)
