"""Hypothesis for all property tests: a loaded machine is not a failure, so examples have no deadline of their own."""

import hypothesis

hypothesis.settings.register_profile("neuronspan", deadline=None)
hypothesis.settings.load_profile("neuronspan")
