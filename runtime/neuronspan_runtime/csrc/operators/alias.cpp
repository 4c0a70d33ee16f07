#include "operators/alias.h"

#include <ATen/EmptyTensor.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/InferenceMode.h>

#include <cstring>
#include <utility>

#include "check.h"
#include "interfaces/allocator.h"

namespace neuronspan {

namespace {

constexpr c10::DispatchKeySet kDeviceKeys(c10::DispatchKey::PrivateUse1);
constexpr c10::DispatchKeySet kHostKeys(c10::DispatchKey::CPU);

void drop_device_storage(void* storage) { c10::raw::intrusive_ptr::decref(static_cast<c10::StorageImpl*>(storage)); }

at::Tensor shaped_like(const at::Tensor& tensor, at::Tensor alias) {
  alias.unsafeGetTensorImpl()->set_sizes_and_strides(tensor.sizes(), tensor.strides(), tensor.storage_offset());
  if (C10_UNLIKELY(tensor.is_conj())) alias._set_conj(true);
  if (C10_UNLIKELY(tensor.is_neg())) alias._set_neg(true);
  return alias;
}

// Whether nobody but the caller knows the tensor, which then is all of its storage and has no history.
bool is_fresh(const at::Tensor& tensor) {
  const at::TensorImpl& impl = *tensor.unsafeGetTensorImpl();
  const c10::Storage& storage = impl.unsafe_storage();
  return tensor.use_count() == 1 && storage.use_count() == 1 && storage.nbytes() == tensor.nbytes() &&
         impl.storage_offset() == 0 && impl.is_non_overlapping_and_dense() && impl.allow_tensor_metadata_change() &&
         impl.autograd_meta() == nullptr && !tensor.is_conj() && !tensor.is_neg() && storage.resizable() &&
         tensor.is_inference() == c10::InferenceMode::is_enabled();  // a kernel may have made it in a bare alias's likeness
}

// The tensor itself goes to the device, which is cheaper than making another one there.
void move_fresh(const at::Tensor& tensor, c10::DeviceIndex index) {
  at::TensorImpl& impl = *tensor.unsafeGetTensorImpl();
  c10::Storage storage = impl.storage();
  c10::DataPtr block = allocate_on(index, storage.nbytes());
  if (storage.nbytes() > 0) std::memcpy(host_address(block.get(), index), storage.data(), storage.nbytes());
  auto* const bytes = storage.unsafeGetStorageImpl();
  bytes->set_data_ptr_noswap(std::move(block));
  bytes->set_allocator(&allocator());
  impl._change_backend_component_keys(c10::Device(kNeuron, index));
  impl.set_storage_keep_dtype(std::move(storage));  // and the device with it
}

}  // namespace

c10::Storage host_storage(c10::StorageImpl& device_storage) {
  void* const address = host_address(device_storage.mutable_data(), device_storage.device().index());
  c10::raw::intrusive_ptr::incref(&device_storage);
  return c10::Storage(c10::make_intrusive<c10::StorageImpl>(
      c10::StorageImpl::use_byte_size_t(), device_storage.nbytes(),
      c10::DataPtr(address, &device_storage, &drop_device_storage, c10::Device(c10::kCPU)), c10::GetCPUAllocator(),
      /*resizable=*/true));
}

at::Tensor host_tensor(const at::Tensor& tensor, c10::Storage storage) {
  return shaped_like(tensor, at::detail::make_tensor<c10::TensorImpl>(std::move(storage), kHostKeys, tensor.dtype()));
}

at::Tensor bare_host_tensor(const at::Tensor& tensor, c10::Storage storage) {
  // the view constructor takes the keys as they are, and a tensor without autograd's keys gets no version counter
  return shaped_like(tensor, at::detail::make_tensor<c10::TensorImpl>(c10::TensorImpl::VIEW, std::move(storage), kHostKeys, tensor.dtype()));
}

at::Tensor host_alias(const at::Tensor& tensor) {
  if (!on_neuron(tensor)) return tensor;
  return host_tensor(tensor, host_storage(*tensor.storage().unsafeGetStorageImpl()));
}

at::Tensor adopt(at::Tensor result, c10::DeviceIndex index) {
  if (!result.defined() || result.layout() != at::kStrided) return result;
  if (is_fresh(result)) {
    move_fresh(result, index);
    return result;
  }
  const bool dense = result.is_non_overlapping_and_dense();
  at::Tensor adopted = dense ? empty_strided_on(index, result.sizes(), result.strides(), result.scalar_type())
                             : empty_on(index, result.sizes(), result.scalar_type());
  if (dense && !result.is_conj() && !result.is_neg()) {
    if (result.nbytes() > 0)
      std::memcpy(host_address(adopted.mutable_data_ptr(), index), result.const_data_ptr(), result.nbytes());
  } else {
    host_alias(adopted).copy_(result);
  }
  return adopted;
}

at::Tensor empty_on(c10::DeviceIndex index, at::IntArrayRef size, at::ScalarType dtype) {
  const DeviceScope scope(index);
  return at::detail::empty_generic(size, &allocator(), kDeviceKeys, dtype, std::nullopt);
}

at::Tensor empty_strided_on(c10::DeviceIndex index, at::IntArrayRef size, at::IntArrayRef stride, at::ScalarType dtype) {
  const DeviceScope scope(index);
  return at::detail::empty_strided_generic(size, stride, &allocator(), kDeviceKeys, dtype);
}

}  // namespace neuronspan
