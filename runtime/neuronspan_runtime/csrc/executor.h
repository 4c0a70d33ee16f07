// Runs a compiled CPU module as if on a span of NeuronCores: one model at a time per core, in the caller's thread.
// Law: what runs inside sees no gradient mode, no tracer and no autocast of the caller; results are the CPU module's own.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include <vector>

#include "placement.h"

namespace neuronspan {

// Calls `module.forward(inputs)`; a tensor, or a tuple or list of tensors, comes back as a list.
std::vector<at::Tensor> execute(torch::jit::Module& module, const placement::CoreSpan& span, std::vector<c10::IValue> inputs);

}  // namespace neuronspan
