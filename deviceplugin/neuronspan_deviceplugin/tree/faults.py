"""What can break in a Neuron device, by the names under which the kernel driver counts or lists it.

Sources: the node names of neuron_sysfs_metrics.c in aws-neuron-driver for the counters, which AWS's node problem
detector takes for the end of a device (neuron-helm-charts, nodeRecovery.counters); for the components, the Neuron sysfs
guide, health_status.
"""

import enum


class FaultKind(enum.StrEnum):
    """One kind of hardware fault."""

    CORE_UNCORRECTABLE = "hw_nc_ue_error"  # of one NeuronCore: an uncorrectable error in its SRAM
    HBM_UNCORRECTABLE = "hw_hbm_ue_error"  # of one NeuronCore: it met an uncorrectable error of the device's memory
    DMA_ABORTED = "hw_dma_abort_error"  # of one NeuronCore: a transfer of its was aborted
    SRAM_ECC = "sram_ecc_uncorrected"  # of a device
    MEMORY_ECC = "mem_ecc_uncorrected"  # of a device, and not repairable
    HBM = "hbm"  # this one and the following: components of a device, on Trn2 and later
    SRAM = "sram"
    FIRMWARE_API = "firmware_service_api"
    FIRMWARE_PROCESSOR = "firmware_service_processor"
    LINK_INTRASERVER = "link_intraserver"
    LINK_HOST = "link_host"
    LINK_EFA = "link_efa"
    LINK_INTERSERVER = "link_interserver"
    LINK_SWITCH = "link_switch"
    AXI_FABRIC = "axi_fabric"


CORE_COUNTERS = (FaultKind.CORE_UNCORRECTABLE, FaultKind.HBM_UNCORRECTABLE, FaultKind.DMA_ABORTED)
"""Counted for each physical NeuronCore."""
DEVICE_COUNTERS = (FaultKind.SRAM_ECC, FaultKind.MEMORY_ECC)
"""Counted for each device."""
COMPONENTS = tuple(kind for kind in FaultKind if kind not in {*CORE_COUNTERS, *DEVICE_COUNTERS})
"""Listed for each device, while they are unhealthy."""
