// A compiled model in host memory: the CPU TorchScript module behind a Neuron model, and the weights it carries.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/api/module.h>

#include <cstddef>
#include <memory>
#include <unordered_set>

namespace neuronspan {

struct Compiled {
  torch::jit::Module module;
  std::size_t weight_bytes = 0;
  std::unordered_set<const c10::StorageImpl*> weight_storages;
};

// Reads a module that torch.jit.save wrote, from the bytes of a uint8 tensor. Throws when the bytes are no such archive.
std::shared_ptr<Compiled> read_compiled(const at::Tensor& blob);

}  // namespace neuronspan
