// The one trick of this backend: a device tensor seen as a CPU tensor on the same bytes, through the accessible window.
// Law: an alias keeps the device storage alive; results of CPU code come back as the original, a view of it, or a copy.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Storage.h>

#include <cstddef>

#include "device/device.h"

namespace neuronspan {

inline bool on_neuron(const at::Tensor& tensor) { return tensor.defined() && tensor.device().type() == kNeuron; }

// CPU storage over the bytes of a device storage. Throws in a forked child.
c10::Storage host_storage(c10::StorageImpl& device_storage);
// CPU tensor with the geometry of `tensor` over `storage`.
at::Tensor host_tensor(const at::Tensor& tensor, c10::Storage storage);
// The same without what autograd alone asks a tensor for, keys and version counter: for kernels that run below autograd.
at::Tensor bare_host_tensor(const at::Tensor& tensor, c10::Storage storage);
// CPU alias of a device tensor; any other tensor is returned as it is.
at::Tensor host_alias(const at::Tensor& tensor);

// A CPU result in fresh device memory of `index`, with its strides: the tensor itself when it is moved in and nobody
// else has it, else a copy. Throws c10::OutOfMemoryError.
at::Tensor adopt(at::Tensor result, c10::DeviceIndex index);

at::Tensor empty_on(c10::DeviceIndex index, at::IntArrayRef size, at::ScalarType dtype);
at::Tensor empty_strided_on(c10::DeviceIndex index, at::IntArrayRef size, at::IntArrayRef stride, at::ScalarType dtype);

}  // namespace neuronspan
