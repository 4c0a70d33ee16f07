#include "operators/kernels.h"

#include <ATen/ATen.h>
#include <ATen/EmptyTensor.h>
#include <ATen/NativeFunctions.h>
#include <ATen/native/TensorFactories.h>

#include "check.h"
#include "device/device.h"
#include "device/pace.h"
#include "interfaces/allocator.h"
#include "operators/alias.h"

namespace neuronspan::kernels {

namespace {

c10::DeviceIndex index_of(const std::optional<at::Device>& device) {
  return device && device->has_index() ? device->index() : current_device();
}

// Returns the bytes that go over the link to the host.
std::size_t count_transfer(const Tensor& destination, const Tensor& source) {
  if (on_neuron(destination)) {
    Core& to = core(destination.device().index());
    (on_neuron(source) ? to.device_to_device : to.host_to_device).add(source.nbytes());
    return on_neuron(source) ? 0 : source.nbytes();
  }
  core(source.device().index()).device_to_host.add(source.nbytes());
  return source.nbytes();
}

void check_not_pinned(std::optional<bool> pin_memory) {
  TORCH_CHECK(!pin_memory.value_or(false), "Only dense CPU tensors can be pinned");
}

void grow_storage(const Tensor& self, c10::StorageImpl& storage) {
  const std::size_t needed =
      self.numel() == 0 ? 0 : at::detail::computeStorageNbytes(self.sizes(), self.strides(), self.itemsize(), self.storage_offset());
  if (needed > storage.nbytes()) resize_storage(storage, needed);
}

}  // namespace

Tensor empty(IntArrayRef size, std::optional<at::ScalarType> dtype, std::optional<at::Layout> /*layout*/,
             std::optional<at::Device> device, std::optional<bool> pin_memory, std::optional<at::MemoryFormat> format) {
  check_not_pinned(pin_memory);
  const DeviceScope scope(index_of(device));
  return at::detail::empty_generic(size, &allocator(), c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                   at::dtype_or_default(dtype), format);
}

Tensor empty_strided(IntArrayRef size, IntArrayRef stride, std::optional<at::ScalarType> dtype, std::optional<at::Layout> /*layout*/,
                     std::optional<at::Device> device, std::optional<bool> pin_memory) {
  check_not_pinned(pin_memory);
  return empty_strided_on(index_of(device), size, stride, at::dtype_or_default(dtype));
}

Tensor efficient_zero_tensor(IntArrayRef size, std::optional<at::ScalarType> dtype, std::optional<at::Layout> /*layout*/,
                             std::optional<at::Device> device, std::optional<bool> pin_memory) {
  check_not_pinned(pin_memory);
  const c10::DeviceIndex index = index_of(device);
  core(index);
  at::native::ZeroTensorAllocator nothing(c10::Device(kNeuron, index));
  return at::detail::empty_generic(size, &nothing, c10::DispatchKeySet({c10::DispatchKey::PrivateUse1, c10::DispatchKey::ZeroTensor}),
                                   at::dtype_or_default(dtype), std::nullopt);
}

// `copy_` itself, not only `_copy_from`: the latter is not exempt from torch's conjugate fallback and would recurse.
Tensor& copy_(Tensor& self, const Tensor& source, bool non_blocking) {
  TORCH_CHECK(!self._is_zerotensor(), "ZeroTensors are immutable. Please materialize the tensor using `.clone()`, if you want a mutable zero tensor.");
  if (C10_UNLIKELY(source._is_zerotensor())) return self.zero_();  // there are no bytes behind it
  const pace::Copy copy(count_transfer(self, source), on_neuron(self) ? pace::Direction::to_device : pace::Direction::to_host);
  const at::AutoDispatchBelowADInplaceOrView below;
  Tensor destination = host_alias(self);
  destination.copy_(host_alias(source), non_blocking);
  return self;
}

Tensor copy_from(const Tensor& self, const Tensor& destination, bool non_blocking) {
  Tensor target = destination;
  return copy_(target, self, non_blocking);
}

Tensor copy_from_and_resize(const Tensor& self, const Tensor& destination) {
  if (on_neuron(destination)) {
    resize_(destination, self.sizes(), std::nullopt);
  } else {
    destination.resize_(self.sizes());
  }
  return copy_from(self, destination, false);
}

at::Scalar local_scalar_dense(const Tensor& self) {
  core(self.device().index()).device_to_host.add(self.itemsize());
  const pace::Copy copy(self.itemsize(), pace::Direction::to_host);
  const at::AutoDispatchBelowADInplaceOrView below;
  return at::_local_scalar_dense(host_alias(self));
}

Tensor& zero_(Tensor& self) {
  if (self.nbytes() >= HbmStack::kDropBytes && self.is_non_overlapping_and_dense()) {
    core(self.device().index()).arena.zero_by_dropping(self.mutable_data_ptr(), self.nbytes());
    return self;
  }
  const at::AutoDispatchBelowADInplaceOrView below;
  host_alias(self).zero_();
  return self;
}

const Tensor& resize_(const Tensor& self, IntArrayRef size, std::optional<at::MemoryFormat> format) {
  auto* impl = self.unsafeGetTensorImpl();
  if (self.sizes() != size) impl->set_sizes_contiguous(size);  // the right size already: the strides stay
  if (format && *format != at::MemoryFormat::Contiguous) impl->empty_tensor_restride(*format);
  grow_storage(self, *self.storage().unsafeGetStorageImpl());
  return self;
}

Tensor& set_source_storage_offset(Tensor& self, c10::Storage source, c10::SymInt offset, c10::SymIntArrayRef symbolic_size,
                                  c10::SymIntArrayRef symbolic_stride) {
  TORCH_CHECK(source.device() == self.device(), "Expected a storage on ", self.device(), " but got one on ", source.device());
  const IntArrayRef size = C10_AS_INTARRAYREF_SLOW(symbolic_size);
  const IntArrayRef stride = C10_AS_INTARRAYREF_SLOW(symbolic_stride);
  const std::int64_t first = offset.guard_int(__FILE__, __LINE__);
  TORCH_CHECK(first >= 0, "Tensor: invalid storage offset ", first);
  TORCH_CHECK(stride.empty() || stride.size() == size.size(), "unequal size length (", size.size(), ") and stride length (",
              stride.size(), ")");
  for (const std::int64_t step : stride) TORCH_CHECK(step >= 0, "Negative strides are not supported, got strides: ", stride);
  auto* impl = self.unsafeGetTensorImpl();
  impl->set_storage_keep_dtype(source);
  impl->set_storage_offset(first);
  if (!stride.empty()) {
    impl->set_sizes_and_strides(size, stride, first);
  } else {
    impl->set_sizes_contiguous(size);  // callers may leave the strides out
  }
  grow_storage(self, *source.unsafeGetStorageImpl());
  return self;
}

Tensor& set_source_storage(Tensor& self, c10::Storage source) {
  const c10::SymInt elements(static_cast<std::int64_t>(source.nbytes() / self.itemsize()));
  return set_source_storage_offset(self, std::move(source), 0, {elements}, {});
}

Tensor& set_source_tensor(Tensor& self, const Tensor& source) {
  return set_source_storage_offset(self, source.storage(), source.sym_storage_offset(), source.sym_sizes(), source.sym_strides());
}

Tensor& set_(Tensor& self) {
  c10::Storage nothing(c10::Storage::use_byte_size_t(), 0, allocate_on(self.device().index(), 0), &allocator(), true);
  const c10::SymInt zero(0);
  return set_source_storage_offset(self, std::move(nothing), 0, {zero}, {});
}

Tensor view(const Tensor& self, IntArrayRef size) { return at::native::view(self, size); }

Tensor as_strided(const Tensor& self, IntArrayRef size, IntArrayRef stride, std::optional<std::int64_t> offset) {
  return at::native::as_strided_tensorimpl(self, size, stride, offset);
}

Tensor reshape_alias(const Tensor& self, IntArrayRef size, IntArrayRef stride) {
  return at::native::_reshape_alias(self, size, stride);
}

Tensor unfold(const Tensor& self, std::int64_t dimension, std::int64_t size, std::int64_t step) {
  return at::native::unfold(self, dimension, size, step);
}

bool may_take_data(const Tensor& self, const Tensor& from) {
  const auto is_plain = [](const Tensor& tensor) {
    return (tensor.device().is_cpu() || on_neuron(tensor)) && tensor.key_set().has_any(c10::DispatchKeySet(c10::DispatchKey::Dense));
  };
  return (is_plain(self) && is_plain(from)) || self.unsafeGetTensorImpl()->has_compatible_shallow_copy_type(from.key_set());
}

void record_stream(Tensor& /*self*/, c10::Stream /*stream*/) {}  // all work is synchronous

void check_same_device(const Tensor& first, const Tensor& second) {
  TORCH_CHECK(!second.defined() || first.device() == second.device(),
              "Expected all tensors to be on the same device, but found at least two devices, ", first.device(), " and ",
              second.device(), "!");
}

Tensor convolution(const Tensor& input, const Tensor& weight, const OptionalTensor& bias, IntArrayRef stride,
                   IntArrayRef padding, IntArrayRef dilation, bool transposed, IntArrayRef output_padding, std::int64_t groups) {
  check_same_device(input, weight);
  OptionalTensor host_bias;
  if (bias && bias->defined()) {
    check_same_device(input, *bias);
    host_bias = host_alias(*bias);
  }
  const at::AutoDispatchBelowADInplaceOrView below;
  return adopt(at::convolution(host_alias(input), host_alias(weight), host_bias, stride, padding, dilation, transposed,
                               output_padding, groups),
               input.device().index());
}

std::tuple<Tensor, Tensor, Tensor> convolution_backward(const Tensor& grad_output, const Tensor& input, const Tensor& weight,
                                                        IntArrayRef stride, IntArrayRef padding, IntArrayRef dilation,
                                                        bool transposed, IntArrayRef output_padding, std::int64_t groups,
                                                        std::array<bool, 3> output_mask) {
  check_same_device(input, grad_output);
  check_same_device(input, weight);
  const at::AutoDispatchBelowADInplaceOrView below;
  const std::array<std::int64_t, 1> bias_size{grad_output.size(1)};
  const auto [grad_input, grad_weight, grad_bias] =
      at::convolution_backward(host_alias(grad_output), host_alias(input), host_alias(weight), IntArrayRef(bias_size), stride,
                               padding, dilation, transposed, output_padding, groups, output_mask);
  const c10::DeviceIndex index = input.device().index();
  return {adopt(grad_input, index), adopt(grad_weight, index), adopt(grad_bias, index)};
}

}  // namespace neuronspan::kernels
