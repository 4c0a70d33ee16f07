"""How long a pod takes from its creation to its start on real kubelets, with a NeuronCore and without, in turns."""
