#include "alias.h"

#include <ATen/EmptyTensor.h>
#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "allocator.h"
#include "check.h"

namespace neuronspan {

namespace {

constexpr c10::DispatchKeySet kDeviceKeys(c10::DispatchKey::PrivateUse1);

void drop_device_storage(void* storage) { c10::raw::intrusive_ptr::decref(static_cast<c10::StorageImpl*>(storage)); }

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
  at::Tensor alias = at::detail::make_tensor<c10::TensorImpl>(std::move(storage), c10::DispatchKeySet(c10::DispatchKey::CPU), tensor.dtype());
  alias.unsafeGetTensorImpl()->set_sizes_and_strides(tensor.sizes(), tensor.strides(), tensor.storage_offset());
  if (C10_UNLIKELY(tensor.is_conj())) alias._set_conj(true);
  if (C10_UNLIKELY(tensor.is_neg())) alias._set_neg(true);
  return alias;
}

at::Tensor host_alias(const at::Tensor& tensor) {
  if (!on_neuron(tensor)) return tensor;
  return host_tensor(tensor, host_storage(*tensor.storage().unsafeGetStorageImpl()));
}

at::Tensor adopt(const at::Tensor& result, c10::DeviceIndex index) {
  if (!result.defined() || result.layout() != at::kStrided) return result;
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

void resize_storage(c10::StorageImpl& storage, std::size_t bytes) {
  c10::DataPtr grown = allocate_on(storage.device().index(), bytes);
  const std::size_t kept = std::min(bytes, storage.nbytes());
  if (kept > 0) allocator().copy_data(grown.get(), storage.data(), kept);
  storage.set_data_ptr_noswap(std::move(grown));
  storage.set_nbytes(bytes);
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
