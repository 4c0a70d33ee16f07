// Sparse tensors of the device: their component tensors live in HBM, and the CPU's kernels run on a twin whose components
// are aliases of them. Every operator that torch has for sparse CPU tensors is registered for ours.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/util/FunctionRef.h>

namespace neuronspan::sparse {

// Turns one component (indices or values) into the one of the other device.
using Component = c10::function_ref<at::Tensor(const at::Tensor&)>;

// COO, or one of the four compressed layouts.
bool is_sparse(const at::Tensor& tensor);
// A tensor on `device` like `tensor`, with components made by `component`.
at::Tensor twin(const at::Tensor& tensor, c10::Device device, Component component);
// Gives `tensor` what was done in place to its twin.
void take_over(const at::Tensor& tensor, const at::Tensor& twin, Component component);

}  // namespace neuronspan::sparse
