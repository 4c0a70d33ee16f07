#include "operators/fallback.h"

#include <ATen/ATen.h>
#include <c10/util/SmallVector.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "check.h"
#include "device/device.h"
#include "interfaces/allocator.h"
#include "interfaces/generator.h"
#include "operators/alias.h"
#include "operators/sparse.h"

namespace neuronspan {

namespace {

// Operators that take CPU tensors beside device tensors on every accelerator.
constexpr std::array<std::string_view, 5> kMixedDeviceOperators = {"aten::index_put_", "aten::_index_put_impl_",
                                                                   "aten::_pack_padded_sequence", "aten::copy_",
                                                                   "aten::copy_sparse_to_sparse_"};

bool may_mix_devices(const std::string& name) {
  return std::find(kMixedDeviceOperators.begin(), kMixedDeviceOperators.end(), name) != kMixedDeviceOperators.end();
}

// torch's own kernels run below autograd; what others do with a tensor, computing a gradient for one, nobody knows.
bool is_torchs_own(const c10::OperatorHandle& op) { return op.operator_name().name.rfind("aten::", 0) == 0; }

// One call: arguments to the CPU, the CPU kernel, and everything it changed or made back to the device.
class BoxedCall {
 public:
  using AliasMaker = at::Tensor (*)(const at::Tensor&, c10::Storage);
  BoxedCall(const c10::OperatorHandle& op, torch::jit::Stack& stack, AliasMaker make_alias)
      : op_(op), stack_(stack), make_alias_(make_alias) {}

  void run() {
    take_arguments();
    {
      const at::AutoDispatchBelowADInplaceOrView below;
      op_.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), &stack_);
    }
    for (Argument& argument : arguments_) write_back(argument);
    give_results();
  }

  void run_sparse() {
    take_arguments();
    // unlike dense kernels some of these ask, and keep for the backward pass only what it will need
    for (Argument& argument : arguments_) argument.host.set_requires_grad(argument.device.requires_grad());
    for (SparseArgument& argument : sparse_arguments_) argument.host.set_requires_grad(argument.device.requires_grad());
    {
      const at::AutoDispatchBelowADInplaceOrView below;
      op_.callBoxed(&stack_);  // the arguments are the CPU's now, and which of its kernels it is, they say
    }
    for (Argument& argument : arguments_) write_back(argument);
    for (const SparseArgument& argument : sparse_arguments_)
      sparse::take_over(argument.device, argument.host, [this](const at::Tensor& component) { return give(component); });
    give_results();
  }

 private:
  struct Argument {
    at::Tensor device;
    at::Tensor host;
    c10::StorageImpl* device_storage;
    c10::StorageImpl* host_storage;
    const void* data;  // of the host storage when the call began
  };
  struct SparseArgument {
    at::Tensor device;
    at::Tensor host;
  };

  void take_arguments() {
    const std::size_t count = op_.schema().arguments().size();
    for (auto value = stack_.end() - static_cast<std::ptrdiff_t>(count); value != stack_.end(); ++value) take(*value);
    TORCH_CHECK(!host_argument_ || arguments_.empty() || may_mix_devices(op_.schema().name()),
                "Expected all tensors to be on the same device, but found at least two devices, ",
                c10::Device(kNeuron, index_), " and cpu! (in ", op_.schema().name(), ")");
    TORCH_CHECK(!host_generator_ || !on_device(), "Expected a 'neuron' device type for generator but found 'cpu'");
    TORCH_CHECK(!device_generator_ || on_device(), "Expected a 'cpu' device type for generator but found 'neuron'");
  }

  // Otherwise only the operator's name brought us here, and what comes out is the CPU's.
  bool on_device() const { return result_on_device_ || !arguments_.empty() || !sparse_arguments_.empty(); }

  void take(c10::IValue& value) {
    if (value.isTensor()) {
      take(value.toTensor());
    } else if (value.isTensorList()) {
      std::vector<at::Tensor> tensors = value.toTensorVector();
      for (at::Tensor& tensor : tensors) take(tensor);
      value = std::move(tensors);
    } else if (value.isOptionalTensorList()) {
      // index lists: these may be on the CPU while the indexed tensor is not, as everywhere in torch
      c10::List<std::optional<at::Tensor>> tensors;
      for (const std::optional<at::Tensor>& tensor : value.toOptionalTensorVector())
        tensors.push_back(tensor && on_neuron(*tensor) ? take_device_tensor(*tensor) : tensor);
      value = std::move(tensors);
    } else if (value.isDevice()) {
      const c10::Device device = value.toDevice();
      if (device.type() != kNeuron) return;
      result_on_device_ = true;
      if (index_ < 0) index_ = device.has_index() ? device.index() : current_device();
      value = c10::Device(c10::kCPU);
    } else if (value.isGenerator()) {
      const at::Generator generator = value.toGenerator();
      if (!generator.defined()) return;
      if (generator.device().type() == kNeuron) {
        value = cpu_generator_of(generator);
        device_generator_ = true;
      } else {
        host_generator_ = true;
      }
    }
  }

  void take(at::Tensor& tensor) {
    if (on_neuron(tensor)) {
      tensor = take_device_tensor(std::move(tensor));
    } else if (tensor.defined() && tensor.device().is_cpu() && tensor.dim() > 0) {  // a CPU scalar goes with any device
      host_argument_ = true;
    }
  }

  at::Tensor take_device_tensor(at::Tensor tensor) {
    const c10::DeviceIndex index = tensor.device().index();
    TORCH_CHECK(index_ < 0 || index_ == index, "Expected all tensors to be on the same device, but found at least two devices, ",
                c10::Device(kNeuron, index_), " and ", tensor.device(), "! (in ", op_.schema().name(), ")");
    index_ = index;
    if (C10_UNLIKELY(sparse::is_sparse(tensor))) return take_sparse_tensor(tensor);
    auto* const device_storage = tensor.storage().unsafeGetStorageImpl();
    c10::Storage storage;  // one alias per storage, or overlapping arguments would not see each other's changes
    for (const Argument& argument : arguments_) {
      if (argument.device.is_same(tensor)) return argument.host;
      if (argument.device_storage == device_storage) storage = argument.host.storage();
    }
    if (!storage) storage = host_storage(*device_storage);
    auto* const shared = storage.unsafeGetStorageImpl();
    const void* const data = storage.data();
    at::Tensor alias = make_alias_(tensor, std::move(storage));
    arguments_.push_back({std::move(tensor), std::move(alias), device_storage, shared, data});
    return arguments_.back().host;
  }

  at::Tensor take_sparse_tensor(const at::Tensor& tensor) {
    for (const SparseArgument& argument : sparse_arguments_)
      if (argument.device.is_same(tensor)) return argument.host;
    at::Tensor host = sparse::twin(tensor, c10::Device(c10::kCPU),
                                   [this](const at::Tensor& component) { return take_device_tensor(component); });
    sparse_arguments_.push_back({tensor, host});
    return host;
  }

  // `out=` and in-place operators may have given the alias another size, other strides, or another allocation.
  void write_back(Argument& argument) {
    c10::StorageImpl& host = *argument.host_storage;
    if (host.data() != argument.data) {
      c10::DataPtr grown = allocate_on(index_, host.nbytes());
      if (host.nbytes() > 0) std::memcpy(host_address(grown.get(), index_), host.data(), host.nbytes());
      argument.device_storage->set_data_ptr_noswap(std::move(grown));
      argument.device_storage->set_nbytes(host.nbytes());
      for (Argument& other : arguments_)
        if (other.host_storage == argument.host_storage) other.data = host.data();
    } else if (host.nbytes() != argument.device_storage->nbytes()) {
      argument.device_storage->set_nbytes(host.nbytes());
    }
    const at::Tensor& alias = argument.host;
    at::Tensor& original = argument.device;
    if (alias.sizes() != original.sizes() || alias.strides() != original.strides() ||
        alias.storage_offset() != original.storage_offset())
      original.unsafeGetTensorImpl()->set_sizes_and_strides(alias.sizes(), alias.strides(), alias.storage_offset());
    if (C10_UNLIKELY(alias.is_conj() != original.is_conj())) original._set_conj(alias.is_conj());
    if (C10_UNLIKELY(alias.is_neg() != original.is_neg())) original._set_neg(alias.is_neg());
  }

  void give_results() {
    const std::size_t count = op_.schema().returns().size();
    for (auto value = stack_.end() - static_cast<std::ptrdiff_t>(count); value != stack_.end(); ++value) {
      if (value->isTensor()) {
        *value = give(std::move(*value).toTensor());
      } else if (value->isTensorList()) {
        std::vector<at::Tensor> tensors = value->toTensorVector();
        *value = c10::IValue();  // nobody else has the results now
        for (at::Tensor& tensor : tensors) tensor = give(std::move(tensor));
        *value = std::move(tensors);
      }
    }
  }

  at::Tensor give(at::Tensor result) const {
    if (!result.defined() || on_neuron(result)) return result;
    if (C10_UNLIKELY(!result.has_storage())) return give_sparse(result);
    auto* const storage = result.storage().unsafeGetStorageImpl();
    for (const Argument& argument : arguments_)
      if (argument.host.is_same(result)) return argument.device;
    for (const Argument& argument : arguments_)
      if (argument.host_storage == storage) return view_of(argument.device, result);
    if (!on_device()) return result;
    TORCH_CHECK(!result.is_quantized(), op_.schema().name(), " makes a quantized tensor, and Neuron devices have none: quantize on the CPU");
    return adopt(std::move(result), index_);
  }

  at::Tensor give_sparse(const at::Tensor& result) const {
    for (const SparseArgument& argument : sparse_arguments_)
      if (argument.host.is_same(result)) return argument.device;
    if (!sparse::is_sparse(result) || !on_device()) return result;
    return sparse::twin(result, c10::Device(kNeuron, index_), [this](const at::Tensor& component) { return give(component); });
  }

  static at::Tensor view_of(const at::Tensor& original, const at::Tensor& host_view) {
    // the view constructor takes the keys as they are: without the autograd keys it would be an inference tensor
    constexpr c10::DispatchKeySet kLazyKeys({c10::DispatchKey::Conjugate, c10::DispatchKey::Negative});
    at::Tensor view = at::detail::make_tensor<c10::TensorImpl>(c10::TensorImpl::VIEW, c10::Storage(original.storage()),
                                                               original.key_set() - kLazyKeys, host_view.dtype());
    view.unsafeGetTensorImpl()->set_sizes_and_strides(host_view.sizes(), host_view.strides(), host_view.storage_offset());
    if (host_view.is_conj()) view._set_conj(true);
    if (host_view.is_neg()) view._set_neg(true);
    return view;
  }

  const c10::OperatorHandle& op_;
  torch::jit::Stack& stack_;
  const AliasMaker make_alias_;
  c10::SmallVector<Argument, 6> arguments_;
  std::vector<SparseArgument> sparse_arguments_;
  c10::DeviceIndex index_ = -1;    // of the device tensors, or of a Device argument
  bool host_argument_ = false;     // a CPU tensor with dimensions was given
  bool host_generator_ = false;    // a CPU generator was given
  bool device_generator_ = false;  // one of ours was given
  bool result_on_device_ = false;  // a Device argument named us: a factory
};

}  // namespace

void fallback(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  BoxedCall(op, *stack, is_torchs_own(op) ? &bare_host_tensor : &host_tensor).run();
}

void sparse_fallback(const c10::OperatorHandle& op, torch::jit::Stack* stack) { BoxedCall(op, *stack, &host_tensor).run_sparse(); }

}  // namespace neuronspan
