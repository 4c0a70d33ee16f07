"""Calls that write, read from an API server's counters."""

from performance.cluster import api_calls


def _line(verb: str, target: str, count: str, code: str = "201") -> str:
    resource, _, subresource = target.partition("/")
    labels = f'code="{code}",component="apiserver",group="",resource="{resource}",scope="resource"'
    return f'apiserver_request_total{{{labels},subresource="{subresource}",verb="{verb}",version="v1"}} {count}'


METRICS = "\n".join(
    [
        "# HELP apiserver_request_total [STABLE] Counter of apiserver requests",
        _line("POST", "pods/binding", "7"),
        _line("POST", "pods/binding", "1", code="409"),
        _line("POST", "pods", "9"),
        _line("LIST", "pods", "3"),
        _line("PUT", "leases", "5"),
        _line("PATCH", "neuronnodes", "2.5e+02"),
        'apiserver_request_duration_seconds_count{resource="pods",verb="POST"} 4',
    ]
)


def test_writes_are_counted_by_verb_and_target_whatever_was_answered() -> None:
    assert api_calls.writes(METRICS) == {"POST pods/binding": 8.0, "PATCH neuronnodes": 250.0}


def test_the_difference_has_what_changed() -> None:
    assert api_calls.difference({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 5.0, "c": 1.0}) == {"b": 3.0, "c": 1.0}
