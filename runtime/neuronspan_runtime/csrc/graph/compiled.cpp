#include "graph/compiled.h"

#include <ATen/ATen.h>
#include <caffe2/serialize/read_adapter_interface.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "check.h"

namespace neuronspan {

namespace {

// Lets torch read an archive where it lies in memory.
class TensorReader final : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit TensorReader(at::Tensor bytes) : bytes_(std::move(bytes)) {}
  std::size_t size() const override { return bytes_.nbytes(); }
  std::size_t read(std::uint64_t position, void* buffer, std::size_t count, const char* /*what*/) const override {
    if (position >= size()) return 0;
    const std::size_t available = std::min<std::size_t>(count, size() - position);
    std::memcpy(buffer, static_cast<const char*>(bytes_.const_data_ptr()) + position, available);
    return available;
  }

 private:
  at::Tensor bytes_;
};

class Weights {
 public:
  void note(const at::Tensor& weight) {
    if (!weight.defined() || !weight.has_storage()) return;
    if (known_.insert(weight.storage().unsafeGetStorageImpl()).second) found_.push_back(weight);
  }

  // Tracing and freezing turn weights into constants of the graph.
  void note_constants(const torch::jit::Block& block);

  std::vector<at::Tensor> take() { return std::move(found_); }

 private:
  std::unordered_set<const c10::StorageImpl*> known_;
  std::vector<at::Tensor> found_;
};

void Weights::note_constants(const torch::jit::Block& block) {
  for (const torch::jit::Node* node : block.nodes()) {
    if (node->kind() == c10::prim::Constant && node->hasAttribute(c10::attr::value)) {
      const auto kind = node->kindOf(c10::attr::value);
      if (kind == torch::jit::AttributeKind::t) note(node->t(c10::attr::value));
      if (kind == torch::jit::AttributeKind::ts)
        for (const at::Tensor& weight : node->ts(c10::attr::value)) note(weight);
    }
    for (const torch::jit::Block* inner : node->blocks()) note_constants(*inner);
  }
}

}  // namespace

std::vector<at::Tensor> weights_of(const torch::jit::Module& module) {
  Weights weights;
  c10::IValue(module._ivalue()).visit([&](const c10::IValue& value) {
    if (value.isTensor()) weights.note(value.toTensor());
    return false;  // go on into containers and submodules
  });
  for (const torch::jit::Module& part : module.modules())
    for (const torch::jit::Method& method : part.get_methods()) weights.note_constants(*method.graph()->block());
  return weights.take();
}

at::Tensor blob_of(const std::string& text) {
  at::Tensor blob = at::empty({static_cast<std::int64_t>(text.size())}, at::kByte);
  if (!text.empty()) std::memcpy(blob.mutable_data_ptr(), text.data(), text.size());
  return blob;
}

std::shared_ptr<Compiled> read_compiled(const at::Tensor& blob) {
  torch::jit::Module read = torch::jit::load(std::make_shared<TensorReader>(blob), c10::Device(c10::kCPU));
  read.eval();
  auto compiled = std::make_shared<Compiled>(std::move(read));
  for (const at::Tensor& weight : weights_of(compiled->module)) {
    const auto* const storage = weight.storage().unsafeGetStorageImpl();
    compiled->weight_storages.insert(storage);
    compiled->weight_bytes += storage->nbytes();
  }
  return compiled;
}

Stages read_stages(const std::vector<at::Tensor>& blobs) {
  Stages stages;
  for (const at::Tensor& blob : blobs) stages.push_back(read_compiled(blob));
  return stages;
}

}  // namespace neuronspan
