import typing

import pytest

from neuronspan_runtime import errors
from neuronspan_runtime.tools.neuron_monitor import configuration

# the example of the user guide: everything, once a second, but for one group
GUIDE: dict[str, typing.Any] = {
    "period": "1s",
    "neuron_runtimes": [
        {
            "tag_filter": ".*",
            "metrics": [
                {"type": "neuroncore_counters"},
                {"type": "memory_used"},
                {"type": "neuron_runtime_vcpu_usage"},
                {"type": "execution_stats"},
            ],
        }
    ],
    "system_metrics": [
        {"type": "vcpu_usage"},
        {"type": "memory_info"},
        {"period": "2s", "type": "neuron_hw_counters"},
    ],
}


def test_guides_example_is_read() -> None:
    config = configuration.parse(GUIDE)
    assert {metric.type: metric.period for metric in config.metrics} == {
        "neuroncore_counters": 1, "memory_used": 1, "neuron_runtime_vcpu_usage": 1, "execution_stats": 1,
        "vcpu_usage": 1, "memory_info": 1, "neuron_hw_counters": 2,
    }  # fmt: skip


def test_without_a_file_everything_is_reported_every_five_seconds() -> None:
    metrics = configuration.Config().metrics
    assert {metric.period for metric in metrics} == {5.0}
    assert {metric.type for metric in metrics} == {metric.type for metric in configuration.parse(GUIDE).metrics}


def test_nearest_period_counts() -> None:
    config = configuration.parse(
        {
            "period": "10s",
            "neuron_runtimes": [
                {
                    "period": "500ms",
                    "metrics": [{"type": "memory_used"}, {"type": "execution_stats", "period": "1m30s"}],
                }
            ],
            "system_metrics": [{"type": "memory_info"}],
        }
    )
    assert [metric.period for metric in config.metrics] == [0.5, 90.0, 10.0]


def test_process_is_reported_by_the_first_filter_that_its_tag_passes() -> None:
    config = configuration.parse(
        {
            "neuron_runtimes": [
                {"tag_filter": "^shop", "metrics": [{"type": "memory_used"}]},
                {"tag_filter": "shop|bank", "metrics": [{"type": "execution_stats"}]},
            ]
        }
    )
    chosen = [config.filter_of(tag) for tag in ("shop-1", "my-shop", "zoo")]
    assert [each and each.metrics[0].type for each in chosen] == ["memory_used", "execution_stats", None]
    assert config.system == ()


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ([], r"the configuration is \[\]: write an object"),
        ({"period": "soon"}, "period of the configuration is 'soon'"),
        ({"period": "0s"}, "period of the configuration is '0s'"),
        ({"neuron_runtimes": {}}, "neuron_runtimes of the configuration is {}: write a list"),
        ({"neuron_runtimes": [{"tag_filter": "("}]}, r"tag_filter of neuron_runtimes\[0\] is '\('"),
        (
            {"neuron_runtimes": [{"metrics": [{"type": "vcpu_usage"}]}]},
            "type of .* is 'vcpu_usage': use one of neuroncore",
        ),
        ({"system_metrics": [{"type": None}]}, r"type of system_metrics\[0\] of the configuration is None"),
        ({"period": "x", "system_metrics": [7]}, "'x'.*; .* is 7: write an object; type of"),
    ],
)
def test_problems_are_named_all_at_once(raw: typing.Any, problem: str) -> None:
    with pytest.raises(errors.InvalidSettings, match=problem):
        configuration.parse(raw)


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("1.5s", 1.5), ("2m", 120), ("1h1ms", 3600.001), ("5", None)])
def test_durations_are_those_of_the_guide(text: str, seconds: float | None) -> None:
    assert configuration.seconds(text) == seconds
