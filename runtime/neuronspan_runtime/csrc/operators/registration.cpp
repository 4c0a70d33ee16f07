// The table: operator name -> function. Everything not named here goes to the fallback.

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include <vector>

#include "operators/fallback.h"
#include "operators/kernels.h"
#include "operators/recurrent.h"

namespace neuronspan {

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", &kernels::empty);
  library.impl("empty_strided", &kernels::empty_strided);
  library.impl("_efficientzerotensor", &kernels::efficient_zero_tensor);
  library.impl("copy_", &kernels::copy_);
  library.impl("_copy_from", &kernels::copy_from);
  library.impl("_copy_from_and_resize", &kernels::copy_from_and_resize);
  library.impl("_local_scalar_dense", &kernels::local_scalar_dense);
  library.impl("zero_", &kernels::zero_);
  library.impl("resize_", &kernels::resize_);
  library.impl("set_", &kernels::set_);
  library.impl("set_.source_Tensor", &kernels::set_source_tensor);
  library.impl("set_.source_Storage", &kernels::set_source_storage);
  library.impl("set_.source_Storage_storage_offset", &kernels::set_source_storage_offset);
  library.impl("view", &kernels::view);
  library.impl("as_strided", &kernels::as_strided);
  library.impl("_reshape_alias", &kernels::reshape_alias);
  library.impl("unfold", &kernels::unfold);
  library.impl("record_stream", &kernels::record_stream);
  library.impl("_has_compatible_shallow_copy_type", &kernels::may_take_data);
  library.impl("convolution_overrideable", &kernels::convolution);
  library.impl("convolution_backward_overrideable", &kernels::convolution_backward);
  library.impl("_thnn_fused_lstm_cell", &recurrent::lstm_cell);
  library.impl("_thnn_fused_lstm_cell_backward_impl", &recurrent::lstm_cell_backward);
  library.impl("_thnn_fused_gru_cell", &recurrent::gru_cell);
  library.impl("_thnn_fused_gru_cell_backward", &recurrent::gru_cell_backward);
  library.impl("mode.values", torch::CppFunction::makeFromBoxedFunction<&fallback>());  // torch knows two devices for it
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&fallback>());
}

TORCH_LIBRARY_IMPL(_, SparsePrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&sparse_fallback>());
}

TORCH_LIBRARY_IMPL(_, SparseCsrPrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&sparse_fallback>());
}

namespace {

// For a device it does not know, torch has general kernels that take these operators apart, and prefers them to a fallback.
// The CPU's own kernel is faster and gives the CPU's bits.
torch::Library register_taken_apart() {
  torch::Library library(torch::Library::IMPL, "aten", c10::DispatchKey::PrivateUse1, __FILE__, __LINE__);
  for (const c10::OperatorName& name : c10::Dispatcher::singleton().getAllOpNames()) {
    const auto op = c10::Dispatcher::singleton().findOp(name);
    if (!op || name.getNamespace() != "aten") continue;
    const bool taken_apart = op->hasKernelForDispatchKey(c10::DispatchKey::CompositeExplicitAutogradNonFunctional) ||
                             op->hasKernelForDispatchKey(c10::DispatchKey::CompositeExplicitAutograd);
    if (taken_apart && op->hasKernelForDispatchKey(c10::DispatchKey::CPU) && !op->hasKernelForDispatchKey(c10::DispatchKey::PrivateUse1))
      library.impl(c10::toString(name).c_str(), torch::CppFunction::makeFromBoxedFunction<&fallback>());
  }
  return library;
}

const torch::Library g_taken_apart = register_taken_apart();

// torch 2.6 has no Autograd fallback for this device: without one every custom operator fails on device tensors.
// Asked at load time instead of by version, because registering a second one is an error where it exists.
std::vector<torch::Library> register_missing_fallthroughs() {
  std::vector<torch::Library> libraries;
  for (const c10::DispatchKey key : {c10::DispatchKey::AutogradPrivateUse1, c10::DispatchKey::AutocastPrivateUse1}) {
    if (c10::Dispatcher::singleton().hasBackendFallbackForDispatchKey(key)) continue;
    libraries.emplace_back(torch::Library::IMPL, "_", key, __FILE__, __LINE__);
    libraries.back().fallback(torch::CppFunction::makeFallthrough());
  }
  return libraries;
}

const std::vector<torch::Library> g_fallthroughs = register_missing_fallthroughs();

}  // namespace

}  // namespace neuronspan
