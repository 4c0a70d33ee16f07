// Every operator without a kernel of its own: run torch's CPU kernel on aliases of the device tensors.
// Law: what the caller sees afterwards is what a device kernel would have left - values, geometry, storages, identity.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

namespace neuronspan {

void fallback(const c10::OperatorHandle& op, torch::jit::Stack* stack);
// The same for calls with sparse tensors or of sparse factories.
void sparse_fallback(const c10::OperatorHandle& op, torch::jit::Stack* stack);

}  // namespace neuronspan
