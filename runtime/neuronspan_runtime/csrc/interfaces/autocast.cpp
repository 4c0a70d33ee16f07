// torch.autocast("neuron"): which operators compute in the lower precision, which in float32 and which in the widest type
// they are given. The lists are torch's own, CUDA's without cuDNN; all other operators fall through and compute in the
// types they are given.

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include <cstddef>
#include <string>

#include "device/device.h"

namespace neuronspan {

namespace {

using at::autocast::cached_cast;

c10::ArrayRef<c10::IValue> arguments_of(const c10::OperatorHandle& op, const torch::jit::Stack& stack) {
  return torch::jit::last(stack, op.schema().arguments().size());
}

// Calls an operator below autocast with all its tensors in one type; which of them can be cast, torch says.
void call_in(at::ScalarType type, const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const c10::impl::ExcludeDispatchKeyGuard below(c10::DispatchKey::AutocastPrivateUse1);
  for (std::size_t index = stack->size() - op.schema().arguments().size(); index < stack->size(); ++index) {
    c10::IValue& argument = (*stack)[index];
    if (argument.isTensor()) {
      argument = cached_cast(type, argument.toTensor(), kNeuron);
    } else if (argument.isTensorList()) {
      argument = cached_cast(type, at::TensorList(argument.toTensorVector()), kNeuron);
    }
  }
  op.callBoxed(stack);
}

at::ScalarType lower_precision() { return at::autocast::get_lower_precision_fp_from_device_type(kNeuron); }

void call_in_lower_precision(const c10::OperatorHandle& op, torch::jit::Stack* stack) { call_in(lower_precision(), op, stack); }

void call_in_float32(const c10::OperatorHandle& op, torch::jit::Stack* stack) { call_in(at::kFloat, op, stack); }

void call_in_widest(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  at::ScalarType widest = lower_precision();
  for (const c10::IValue& argument : arguments_of(op, *stack)) {
    if (argument.isTensor()) widest = at::autocast::prioritize(widest, argument.toTensor(), kNeuron);
    if (argument.isTensorList()) widest = at::autocast::prioritize(widest, at::TensorList(argument.toTensorVector()), kNeuron);
  }
  call_in(widest, op, stack);
}

// What torch refuses on every device, in its own words: another device's kernel says them, whatever it is given.
void refuse(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::AutocastCUDA), stack);
}

// An entry of torch's lists, as "pow, Tensor_Scalar", in the dispatcher's words.
std::string operator_name(std::string entry) {
  const std::size_t comma = entry.find(", ");
  return comma == std::string::npos ? entry : entry.replace(comma, 2, ".");
}

}  // namespace

// One boxed kernel for all operators of a list: torch's macros make a kernel of each, which takes the compiler as long as a
// fifth of this library. They are left where a policy does more than cast.
#define NEURONSPAN_BOXED(kernel, ...) m.impl(operator_name(#__VA_ARGS__).c_str(), torch::CppFunction::makeFromBoxedFunction<&kernel>());
#define NEURONSPAN_LOWER_PRECISION(...) NEURONSPAN_BOXED(call_in_lower_precision, __VA_ARGS__)
#define NEURONSPAN_FLOAT32(...) NEURONSPAN_BOXED(call_in_float32, __VA_ARGS__)
#define NEURONSPAN_WIDEST(...) NEURONSPAN_BOXED(call_in_widest, __VA_ARGS__)
#define NEURONSPAN_FLOAT32_RESULT(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, fp32_set_opt_dtype)

TORCH_LIBRARY_IMPL(aten, AutocastPrivateUse1, m) {
  using namespace at;  // the lists write signatures as torch's own sources do, and not the same in every version
  AT_FORALL_LOWER_PRECISION_FP(NEURONSPAN_LOWER_PRECISION)
  AT_FORALL_FP32(NEURONSPAN_FLOAT32)
  AT_FORALL_FP32_SET_OPT_DTYPE(NEURONSPAN_FLOAT32_RESULT)
  AT_FORALL_DIFFERENT_REDISPATCH_SIGNATURE(KERNEL_DIFFERENT_REDISPATCH_SIGNATURE_PRIVATEUSEONE)
  AT_FORALL_PROMOTE(NEURONSPAN_WIDEST)
  m.impl("binary_cross_entropy", torch::CppFunction::makeFromBoxedFunction<&refuse>());
}

}  // namespace neuronspan
