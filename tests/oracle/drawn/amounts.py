"""What pods request, at random: by containers, sidecars and init containers, by the pod as a whole, by its runtime."""

from oracle.drawn import drawing

Manifest = drawing.Manifest


def plain(draw: drawing.Draw) -> Manifest:
    """Draw the requests of a container."""
    made = {}
    if draw.maybe(0.8):
        made["cpu"] = draw.choice(("100m", "500m", "1", "1500m", "2", "0", "999500u"))
    if draw.maybe(0.8):
        made["memory"] = draw.choice(("64Mi", "1Gi", "2Gi", "1500M", "3Gi", "1073741824500m"))
    if draw.maybe(0.2):
        made["ephemeral-storage"] = draw.choice(("1Gi", "4Gi", "6Gi"))
    return {"requests": made}


def hugepages(draw: drawing.Draw) -> Manifest:
    """Draw a request for huge pages."""
    amount = {"hugepages-2Mi": draw.choice(("2Mi", "64Mi", "128Mi"))}
    return {"requests": {"cpu": "100m", **amount}, "limits": amount}


def extended(draw: drawing.Draw) -> Manifest:
    """Draw a request for devices of a plugin."""
    amount = {resource: draw.choice(("0", "1", "2", "4")) for resource in draw.some(drawing.EXTENDED, 1)}
    return {"requests": amount, "limits": amount}


def container(draw: drawing.Draw, name: str) -> Manifest:
    """Draw a container that requests something, or nothing."""
    kinds = ((plain, 0.7), (hugepages, 0.1), (extended, 0.15))
    made: Manifest = {"name": name, "image": "none"}
    for kind, chance in kinds:
        if draw.maybe(chance):
            return {**made, "resources": kind(draw)}
    return made


def init_containers(draw: drawing.Draw) -> list[Manifest]:
    """Draw containers that run before, some of which stay."""
    made = []
    for index in range(draw.choice((1, 2, 3))):
        each = container(draw, f"init-{index}")
        if draw.maybe(0.5):
            each["restartPolicy"] = "Always"
        made.append(each)
    return made


def resized(draw: drawing.Draw) -> Manifest:
    """Draw what kubelet reports of a pod whose containers are being resized."""
    reported: Manifest = {"name": "app", "image": "none", "imageID": "", "ready": True, "restartCount": 0}
    if draw.maybe(0.8):
        reported["resources"] = {"requests": {"cpu": draw.choice(("50m", "3")), "memory": draw.choice(("32Mi", "4Gi"))}}
    if draw.maybe(0.6):
        reported["allocatedResources"] = {"cpu": draw.choice(("50m", "4")), "memory": "32Mi"}
    made: Manifest = {"containerStatuses": [reported]}
    if draw.maybe(0.4):
        pending = {"type": "PodResizePending", "status": "True"}
        made["conditions"] = [{**pending, "reason": draw.choice(("Infeasible", "Deferred"))}]
    return made


def set_of_pod(draw: drawing.Draw, spec: Manifest) -> None:
    """Draw requests of the pod as a whole: the API wants them to be no less than those of its containers."""
    made = {"cpu": draw.choice(("3", "4")), "memory": draw.choice(("5Gi", "6Gi"))}
    spec["resources"] = {"requests": {key: made[key] for key in draw.some(sorted(made), 1)}}
    for each in (*spec["containers"], *spec.get("initContainers", ())):
        requested = each.get("resources", {}).get("requests", {})
        requested.update({key: small for key, small in (("cpu", "300m"), ("memory", "700Mi")) if key in requested})
