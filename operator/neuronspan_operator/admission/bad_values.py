"""Values that cannot be read, or that no node could give."""

from collections.abc import Iterable, Iterator
from typing import Final

from neuronspan import annotations, names
from neuronspan_operator.admission import wishes
from neuronspan_operator.admission.settings import Settings

_SHOWN: Final = 60
"""Characters of a value that a sentence shows."""
_CHOICES: Final = {each.name: each for each in annotations.OF_USERS if each.choices}
_SELF_COUNTING: Final = frozenset({names.VISIBLE_CORES_ANNOTATION, names.GROUP_SIZES_ANNOTATION})


def shown(key: str, value: str) -> str:
    """Name an annotation with its value as sentences quote it: on one line and not too long."""
    short = value[:_SHOWN] + "..." if len(value) > _SHOWN else value
    return f'annotation {key} is "{short}"'.replace("\n", " ")


def bad_counts(pod: wishes.Pod, settings: Settings) -> Iterator[str]:
    """Refuse numbers that cannot be read, or that no node has."""
    for wish in pod.wishes:
        most = wishes.most(wish.resource, settings)
        if wish.by in _SELF_COUNTING or 1 <= wish.count <= most:
            continue
        units = "Neuron devices" if wish.resource == names.DEVICE_RESOURCE else "NeuronCores"
        why = "" if wish.count < 1 else ", and no node has so many"
        yield f"{shown(wish.by, wish.value)}{why}: write a whole number of {units} from 1 to {most}"


def bad_visible_cores(pod: wishes.Pod, settings: Settings) -> Iterator[str]:
    """Refuse what is no run of cores, or none that a node has."""
    for wish in pod.wishes:
        if wish.by != names.VISIBLE_CORES_ANNOTATION:
            continue
        if wish.count < 1:
            yield (
                f"{shown(wish.by, wish.value)}, which is not one run of NeuronCores: write the first and the last "
                'core, for example "4-7", or one core'
            )
        elif int(wish.value.rpartition("-")[2]) >= settings.most_cores:
            highest = settings.most_cores - 1
            yield f"{shown(wish.by, wish.value)}, and no node has so many cores: the highest core is {highest}"


def bad_group_sizes(pod: wishes.Pod, settings: Settings) -> Iterator[str]:
    """Refuse what are no groups, or more cores than a node has."""
    for wish in pod.wishes:
        if wish.by != names.GROUP_SIZES_ANNOTATION:
            continue
        if wish.count < 1:
            yield (
                f'{shown(wish.by, wish.value)}: write the cores of each group, for example "3,4,1", or "4x2" for '
                "four groups of two"
            )
        elif wish.count > settings.most_cores:
            yield (
                f"{shown(wish.by, wish.value)}, together {wish.count} NeuronCores, and no node has so many: "
                f"make the sum at most {settings.most_cores}"
            )


def bad_choices(pod: wishes.Pod) -> Iterator[str]:
    """Refuse values that are none of the choices."""
    for key in pod.ours:
        declared = _CHOICES.get(key)
        if declared and pod.annotations[key] not in {each.value for each in declared.choices}:
            yield f"{shown(key, pod.annotations[key])}: {declared.way_out}"


def bad_pod_group(pod: wishes.Pod) -> Iterator[str]:
    """Refuse groups without a proper name or size."""
    ways_out = {
        names.POD_GROUP_ANNOTATION: 'write a name of at most 63 lower-case letters, digits, "-" and "."',
        names.POD_GROUP_SIZE_ANNOTATION: "write the number of pods in the group, from 1 to 9999",
    }
    for key in pod.ours:
        if key in ways_out and not wishes.matches(key, pod.annotations[key]):
            yield f"{shown(key, pod.annotations[key])}: {ways_out[key]}"
    if len(ways_out.keys() & pod.annotations.keys()) == 1:
        yield f"annotations {' and '.join(ways_out)} belong together: write both or neither"


def limits(pod: wishes.Pod) -> tuple[wishes.Wish, ...]:
    """Return what limits ask for; one of none asks for nothing, unless an annotation asks for the same container."""
    wished = {each.container for each in pod.readable}
    return tuple(
        _limit(each.name, resource, each.limits[resource])
        for resource in names.RESOURCES
        for each in pod.containers
        if resource in each.limits and (wishes.is_positive(each.limits[resource]) or each.name in wished)
    )


def _limit(container: str, resource: str, quantity: str) -> wishes.Wish:
    count = wishes.count_of(quantity)
    return wishes.Wish(f"limit {resource}", quantity if count < 0 else str(count), container, resource, count)


def bad_limits(limits: Iterable[wishes.Wish], settings: Settings) -> Iterator[str]:
    """Refuse limits that are no number of cores or devices, or more than a node has."""
    for limit in limits:
        most = wishes.most(limit.resource, settings)
        if 0 <= limit.count <= most:
            continue
        why = "which is no whole number" if limit.count < 0 else "and no node has so many"
        yield (
            f'container "{limit.container}" has the {limit.by}: {limit.value}, {why}: write a number from 1 to {most}'
        )
