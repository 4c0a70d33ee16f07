"""What of the chart's values admission depends on."""

import dataclasses

from neuronspan import instance_types


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """Which requests can be met in this cluster."""

    most_cores: int = instance_types.MOST_CORES  # NeuronCores of the largest node
    most_devices: int = instance_types.MOST_DEVICES  # Neuron devices of the largest node
    guests: bool = False  # pods that somebody else binds are let in
