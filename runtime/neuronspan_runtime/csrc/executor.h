// Runs a compiled CPU module as if on a span of NeuronCores: one model at a time per core, in the caller's thread.
// Law: what runs inside sees no gradient mode, no tracer and no autocast of the caller; results are the CPU module's own.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include <vector>

#include "placement.h"
#include "telemetry.h"

namespace neuronspan {

// Calls `module.forward(inputs)` when it is its turn on these cores; `call` is told how long they worked.
c10::IValue execute(torch::jit::Module& module, const placement::CoreSpan& span, std::vector<c10::IValue> inputs,
                    telemetry::Call& call);

// What a model returns, a tensor or a tuple or list of tensors, as a list. Throws for anything else.
std::vector<at::Tensor> tensors_of(const c10::IValue& result);

}  // namespace neuronspan
