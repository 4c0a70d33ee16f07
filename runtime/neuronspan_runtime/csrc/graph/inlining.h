// A graph without calls. Law: what is left of calls is what TorchScript cannot look into (objects of C++ classes, interfaces).
#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace neuronspan {

// Puts what methods and functions do in place of every call of them, however deep. torch's own pass does one level
// while a file is being read, which is when a model is loaded: its optimiser is off then (GraphOptimizerEnabledGuard).
void inline_calls(torch::jit::Graph& graph);

}  // namespace neuronspan
