// Operators that cannot go through the fallback: they make or reshape device memory, move bytes, or have no CPU kernel.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Storage.h>
#include <c10/core/SymIntArrayRef.h>

#include <array>
#include <optional>
#include <tuple>

namespace neuronspan::kernels {

using at::IntArrayRef;
using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

// factories
Tensor empty(IntArrayRef size, std::optional<at::ScalarType> dtype, std::optional<at::Layout> layout,
             std::optional<at::Device> device, std::optional<bool> pin_memory, std::optional<at::MemoryFormat> format);
Tensor empty_strided(IntArrayRef size, IntArrayRef stride, std::optional<at::ScalarType> dtype,
                     std::optional<at::Layout> layout, std::optional<at::Device> device, std::optional<bool> pin_memory);
// Zeros that take no memory until somebody writes to a copy of them: autograd's gradients that are zero everywhere.
Tensor efficient_zero_tensor(IntArrayRef size, std::optional<at::ScalarType> dtype, std::optional<at::Layout> layout,
                             std::optional<at::Device> device, std::optional<bool> pin_memory);

// moving bytes; every transfer is counted
Tensor& copy_(Tensor& self, const Tensor& source, bool non_blocking);
Tensor copy_from(const Tensor& self, const Tensor& destination, bool non_blocking);
Tensor copy_from_and_resize(const Tensor& self, const Tensor& destination);
at::Scalar local_scalar_dense(const Tensor& self);
Tensor& zero_(Tensor& self);

// storage and geometry
const Tensor& resize_(const Tensor& self, IntArrayRef size, std::optional<at::MemoryFormat> format);
Tensor& set_source_storage_offset(Tensor& self, c10::Storage source, c10::SymInt offset, c10::SymIntArrayRef size,
                                  c10::SymIntArrayRef stride);
Tensor& set_source_storage(Tensor& self, c10::Storage source);
Tensor& set_source_tensor(Tensor& self, const Tensor& source);
Tensor& set_(Tensor& self);
Tensor view(const Tensor& self, IntArrayRef size);
Tensor as_strided(const Tensor& self, IntArrayRef size, IntArrayRef stride, std::optional<std::int64_t> offset);
Tensor reshape_alias(const Tensor& self, IntArrayRef size, IntArrayRef stride);
Tensor unfold(const Tensor& self, std::int64_t dimension, std::int64_t size, std::int64_t step);
// `parameter.data = tensor`, and so Module.to(): torch's own list of devices between which that may move has no place for us.
bool may_take_data(const Tensor& self, const Tensor& from);
void record_stream(Tensor& self, c10::Stream stream);

// convolution: torch sends every device it does not know here
Tensor convolution(const Tensor& input, const Tensor& weight, const OptionalTensor& bias, IntArrayRef stride,
                   IntArrayRef padding, IntArrayRef dilation, bool transposed, IntArrayRef output_padding, std::int64_t groups);
std::tuple<Tensor, Tensor, Tensor> convolution_backward(const Tensor& grad_output, const Tensor& input, const Tensor& weight,
                                                        IntArrayRef stride, IntArrayRef padding, IntArrayRef dilation,
                                                        bool transposed, IntArrayRef output_padding, std::int64_t groups,
                                                        std::array<bool, 3> output_mask);

// Throws torch's own words unless both tensors are on one device.
void check_same_device(const Tensor& first, const Tensor& second);

}  // namespace neuronspan::kernels
