"""Why something is not run here as its manifest says: the codes that statuses, Events and the command's lines have.

docs/reference/reasons.md explains each; a test compares. Codes that are kubelet's own mean what they mean there.
"""

import enum


class ContainerReason(enum.StrEnum):
    """Why a container waits, or what it does without."""

    IMAGE_NOT_RUNNABLE = "ImageNotRunnable"
    IMAGE_REPLACED = "ImageReplaced"
    VOLUME_NOT_SUPPORTED = "VolumeNotSupported"
    CONFIGURATION = "CreateContainerConfigError"
    CANNOT_START = "RunContainerError"
    PRE_START_HOOK = "PreStartHookError"
    BACK_OFF = "CrashLoopBackOff"


class PodReason(enum.StrEnum):
    """Why kubelet does not take a pod."""

    NOT_ADMITTED = "UnexpectedAdmissionError"


class ManifestReason(enum.StrEnum):
    """Why an object is not made, or not carried out as it stands."""

    REFUSED = "Refused"
    KIND_NOT_SERVED = "KindNotServed"
    NOT_CARRIED_OUT = "NotCarriedOut"
