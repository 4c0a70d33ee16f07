// A compiled model in host memory: the CPU TorchScript modules behind a Neuron model, one per pipeline stage, and the
// weights they carry.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/api/module.h>

#include <cstddef>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "graph/executor.h"

namespace neuronspan {

// One stage. A model that was not cut is its only stage.
struct Compiled {
  explicit Compiled(torch::jit::Module read) : module(std::move(read)), runnable(module) {}

  torch::jit::Module module;
  Runnable runnable;
  std::size_t weight_bytes = 0;
  std::unordered_set<const c10::StorageImpl*> weight_storages;
};

// All stages in order: each takes what the one before it returned.
using Stages = std::vector<std::shared_ptr<Compiled>>;

// Every tensor that the module holds as attribute or constant, one for each storage.
std::vector<at::Tensor> weights_of(const torch::jit::Module& module);

// The bytes of a text as a uint8 tensor.
at::Tensor blob_of(const std::string& text);

// Reads a module that torch.jit.save wrote, from the bytes of a uint8 tensor. Throws when the bytes are no such archive.
std::shared_ptr<Compiled> read_compiled(const at::Tensor& blob);
// The same for the archives of all stages.
Stages read_stages(const std::vector<at::Tensor>& blobs);

}  // namespace neuronspan
