"""What `import torch.neuron` finds where this file is `neuron.py` in torch's own directory, as in the runtime's image.

AWS's programs import their package under that name too, without naming torch_neuron. The import of torch_neuron puts
torch's module of the device in the place of this one. The wheel does not install it: without torch the directory would
look like one.
"""

import torch_neuron

__all__ = ["torch_neuron"]
