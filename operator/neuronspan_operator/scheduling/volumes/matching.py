"""Which volume that exists already suits a claim.

Source: FindMatchingVolume in k8s.io/component-helpers/storage/volume/pv_helpers.go. Of volumes of one size the first by
name is taken, where that function takes any.
"""

from collections.abc import Collection, Iterable, Mapping

from neuronspan_operator.objects.constraints.volumes import claims, persistent_volumes


def best(
    claim: claims.Claim,
    candidates: Iterable[persistent_volumes.Volume],
    labels: Mapping[str, str],
    taken: Collection[str],
) -> persistent_volumes.Volume | None:
    """Return the volume that is held for the claim, or else the smallest free one that a node can reach.

    ``candidates`` have the claim's class, ``labels`` are the node's, ``taken`` names what the pod's other claims get.
    """
    fitting = [each for each in candidates if each.name not in taken and _fits(claim, each)]
    for volume in fitting:
        if volume.holder is not None:
            return volume if volume.reachable(labels) else None
    free = (each for each in fitting if _is_free(claim, each) and each.reachable(labels))
    return min(free, key=lambda each: (each.capacity, each.name), default=None)


def _fits(claim: claims.Claim, volume: persistent_volumes.Volume) -> bool:
    """Whether the volume is what was asked for, and nobody else's."""
    return (
        (volume.holder is None or volume.holder.is_claim(claim))
        and volume.capacity >= claim.requested
        and volume.mode == claim.mode
        and volume.attributes_class == claim.attributes_class
        and not volume.deleted
    )


def _is_free(claim: claims.Claim, volume: persistent_volumes.Volume) -> bool:
    return volume.available and set(claim.modes) <= set(volume.modes) and claim.selector.selects(volume.labels)
