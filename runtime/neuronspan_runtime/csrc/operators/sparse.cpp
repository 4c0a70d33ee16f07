#include "operators/sparse.h"

#include <ATen/SparseCsrTensorImpl.h>
#include <ATen/SparseTensorImpl.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include "device/device.h"
#include "operators/fallback.h"

namespace neuronspan::sparse {

namespace {

bool is_coordinates(const at::Tensor& tensor) { return tensor.layout() == at::kSparse; }

at::SparseTensorImpl* coordinates_of(const at::Tensor& tensor) {
  return static_cast<at::SparseTensorImpl*>(tensor.unsafeGetTensorImpl());
}

at::SparseCsrTensorImpl* compressed_of(const at::Tensor& tensor) {
  return static_cast<at::SparseCsrTensorImpl*>(tensor.unsafeGetTensorImpl());
}

void set_coordinates(const at::Tensor& to, const at::Tensor& from, Component component) {
  auto* const source = coordinates_of(from);
  auto* const target = coordinates_of(to);
  const at::Tensor indices = component(source->indices());
  const at::Tensor values = component(source->values());
  if (from.sizes() != to.sizes() || source->sparse_dim() != target->sparse_dim())
    target->raw_resize_(source->sparse_dim(), source->dense_dim(), from.sizes());
  // setting is refused on detached tensors, and most calls change nothing
  if (!indices.is_same(target->indices()) || !values.is_same(target->values()))
    target->set_indices_and_values_unsafe(indices, values);
  if (source->coalesced() != target->coalesced()) target->set_coalesced(source->coalesced());
}

void set_compressed(const at::Tensor& to, const at::Tensor& from, Component component) {
  auto* const source = compressed_of(from);
  auto* const target = compressed_of(to);
  const at::Tensor compressed = component(source->compressed_indices());
  const at::Tensor plain = component(source->plain_indices());
  const at::Tensor values = component(source->values());
  if (from.sizes() == to.sizes() && compressed.is_same(target->compressed_indices()) && plain.is_same(target->plain_indices()) &&
      values.is_same(target->values()))
    return;
  target->set_member_tensors(compressed, plain, values, from.sizes());
}

c10::DispatchKeySet keys(bool coordinates, bool on_host) {
  if (coordinates) return c10::DispatchKeySet(on_host ? c10::DispatchKey::SparseCPU : c10::DispatchKey::SparsePrivateUse1);
  return c10::DispatchKeySet(on_host ? c10::DispatchKey::SparseCsrCPU : c10::DispatchKey::SparseCsrPrivateUse1);
}

}  // namespace

bool is_sparse(const at::Tensor& tensor) {
  switch (tensor.layout()) {
    case at::kSparse:
    case at::kSparseCsr:
    case at::kSparseCsc:
    case at::kSparseBsr:
    case at::kSparseBsc:
      return true;
    default:
      return false;
  }
}

at::Tensor twin(const at::Tensor& tensor, c10::Device device, Component component) {
  const bool coordinates = is_coordinates(tensor);
  const DeviceScope scope(device.is_cpu() ? c10::DeviceIndex(-1) : device.index());
  const c10::DispatchKeySet key_set = keys(coordinates, device.is_cpu());
  at::Tensor made = coordinates ? at::detail::make_tensor<at::SparseTensorImpl>(key_set, tensor.dtype())
                                : at::detail::make_tensor<at::SparseCsrTensorImpl>(key_set, device, tensor.layout(), tensor.dtype());
  take_over(made, tensor, component);
  return made;
}

void take_over(const at::Tensor& tensor, const at::Tensor& twin, Component component) {
  if (is_coordinates(tensor)) {
    set_coordinates(tensor, twin, component);
  } else {
    set_compressed(tensor, twin, component);
  }
}

namespace {

// torch's composite kernels come before a backend's fallback, and for sparse tensors they are wrong where the CPU has a
// kernel of its own: those operators are named one by one.
void register_like(c10::DispatchKey host, torch::Library& library) {
  for (const c10::OperatorName& name : c10::Dispatcher::singleton().getAllOpNames()) {
    if (name.getNamespace() != "aten") continue;
    const auto op = c10::Dispatcher::singleton().findSchema(name);
    if (op && op->hasKernelForDispatchKey(host))
      library.impl(c10::toString(name).c_str(), torch::CppFunction::makeFromBoxedFunction<&sparse_fallback>());
  }
}

}  // namespace

TORCH_LIBRARY_IMPL(aten, SparsePrivateUse1, library) { register_like(c10::DispatchKey::SparseCPU, library); }
TORCH_LIBRARY_IMPL(aten, SparseCsrPrivateUse1, library) { register_like(c10::DispatchKey::SparseCsrCPU, library); }

}  // namespace neuronspan::sparse
