// The torch class behind every traced model: `__torch__.torch.classes.neuron.Model`. It carries the compiled model
// through torch.jit.save, and takes NeuronCores and HBM when torch.jit.load brings it back.
// Law: loaded means placed, counted and charged on every core of every replica; unloaded means none of it.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/custom_class.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "arena.h"
#include "compiled.h"
#include "placement.h"

namespace neuronspan {

class Model final : public torch::CustomClassHolder {
 public:
  // What torch.jit.save writes: the archive of each stage (uint8), cores per model, metadata (JSON), lazy loading.
  using State = std::tuple<std::vector<at::Tensor>, std::int64_t, std::string, bool>;

  // Each archive is what torch.jit.save wrote of one stage: one for each core, which takes the outputs of the stage
  // before it, or a single one that runs on all of them. `metadata` is the tracer's, opaque here.
  Model(const std::vector<std::string>& archives, std::int64_t cores_per_model, std::string metadata);
  explicit Model(State state);
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  ~Model() override;

  State state() const;

  // Places and charges the model, if it is not loaded yet. Throws with the real runtime's texts.
  void load();
  // Gives cores, HBM and host copies back; the next use loads again where it was placed before.
  void unload();
  // Unloads, and loads again on these cores. -1 = least used, -1 = as many as the model needs.
  void set_neuron_devices(std::int64_t start, std::int64_t count);

  bool is_loaded() const;
  std::vector<placement::CoreSpan> placement() const;  // of each replica; empty when not loaded
  std::int64_t nbytes();                               // of the weights of one replica
  std::vector<std::int64_t> stage_bytes();             // of the weights of each stage; stage k is on a replica's core k
  std::int64_t cores_per_model() const { return cores_per_model_; }
  std::string metadata() const;
  void set_metadata(std::string metadata);
  bool lazy_load() const;
  void set_lazy_load(bool lazy);

  std::vector<at::Tensor> forward(const std::vector<at::Tensor>& inputs);

 private:
  struct Loaded;

  std::shared_ptr<Loaded> loaded();
  void load_locked();
  const Stages& stages_locked();

  const std::vector<at::Tensor> archives_;
  const std::int64_t cores_per_model_;
  mutable std::mutex mutex_;  // everything below
  std::string metadata_;
  bool lazy_;
  placement::Request request_;
  Stages stages_;  // empty = not read yet
  std::shared_ptr<Loaded> loaded_;
};

}  // namespace neuronspan
