// Runs a compiled CPU module as if on a span of NeuronCores: one model at a time per core, in the caller's thread.
// Law: what runs inside sees no gradient mode, no autocast and no thread setting of the caller; results are the CPU
// module's own, as one thread computes them. The caller's torch.jit.trace is not seen either: torch's own fallback for
// operators records the call as one node and stops tracing until it returns (TraceTypeManual.cpp, general_trace_function).
#pragma once

#include <ATen/core/ivalue.h>
#include <c10/core/DispatchKeySet.h>
#include <c10/util/ArrayRef.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/interpreter.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "device/placement.h"
#include "reporting/telemetry.h"

namespace neuronspan {

// A module's `forward` made ready to run: inlined, and without torch's profiling executor, so that already the first
// call is fast and every call computes the same. Immutable: any number of threads may run it.
class Runnable {
 public:
  explicit Runnable(const torch::jit::Module& module);

  // Throws on another number of inputs than `forward` has.
  c10::IValue run(at::ArrayRef<c10::IValue> inputs) const;
  // The dispatch keys that are of no use to it.
  c10::DispatchKeySet hidden_keys() const { return hidden_keys_; }

 private:
  Runnable(c10::IValue self, const std::shared_ptr<torch::jit::Graph>& graph);

  c10::IValue self_;
  c10::DispatchKeySet hidden_keys_;
  torch::jit::Code code_;
};

// One run on a span of cores, after everybody who asked for one of them earlier; `call` is told how long they worked.
// It keeps them for `lasts` nanoseconds, or for as long as the CPU needs if that is longer.
c10::IValue execute(const Runnable& runnable, const placement::CoreSpan& span, at::ArrayRef<c10::IValue> inputs,
                    telemetry::Call& call, std::int64_t lasts = 0);

// What a model returns, a tensor or a tuple or list of tensors, as a list. Throws for anything else.
std::vector<at::Tensor> tensors_of(const c10::IValue& result);

}  // namespace neuronspan
