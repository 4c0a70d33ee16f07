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
#include <vector>

#include "device/placement.h"
#include "graph/compiled.h"
#include "model/loaded.h"
#include "model/pickling.h"
#include "model/signature.h"

namespace neuronspan {

class Model final : public torch::CustomClassHolder {
 public:
  // Each archive is what torch.jit.save wrote of one stage: one for each core, which takes the outputs of the stage
  // before it, or a single one that runs on all of them. `metadata` is the tracer's, opaque here.
  Model(const std::vector<std::string>& archives, std::int64_t cores_per_model, std::string metadata);
  explicit Model(Saved saved);
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  ~Model() override = default;

  Saved saved() const;

  // Places and charges the model, if it is not loaded yet. Throws with the real runtime's texts.
  void load();
  // What torch.jit.load does with it: `load`, the same in the background, or nothing before the first use.
  void load_as_asked();
  // Gives cores, HBM and host copies back; the next use loads again where it was placed before.
  void unload();
  // Unloads, and loads again on these cores. -1 = least used, -1 = as many as the model needs. When that is refused, the
  // model is where it was.
  void set_neuron_devices(std::int64_t start, std::int64_t count);

  // Where it was asked to be, and, when it is loaded, where it is: start and count of both. `put_back` makes it so again.
  std::vector<std::int64_t> standing() const;
  void put_back(const std::vector<std::int64_t>& standing);

  bool is_loaded() const;
  std::vector<placement::CoreSpan> placement();        // of each replica; empty when not loaded
  std::int64_t nbytes();                               // of the weights of one replica
  std::vector<std::int64_t> stage_bytes();             // of the weights of each stage; stage k is on a replica's core k
  std::int64_t cores_per_model() const { return cores_per_model_; }
  // The archive of each stage, and tensors without values in the shapes and types that the model takes.
  std::vector<at::Tensor> archives() const { return archives_; }
  std::vector<at::Tensor> inputs() const;
  std::string metadata() const;
  void set_metadata(std::string metadata);
  bool lazy_load() const;
  void set_lazy_load(bool lazy);
  bool async_load() const;
  void set_async_load(bool async);
  bool dynamic_batch() const { return dynamic_; }
  // Throws, and changes nothing, for a model that cannot be called with any number of rows.
  void set_dynamic_batch(bool dynamic);
  // What it takes; for a model that is not in use yet.
  void set_signature(const std::vector<at::Tensor>& examples, std::vector<std::string> names, std::int64_t arguments, std::int64_t states);

  // One call; loads the model if it is not. A call that is refused for its inputs is counted where the tools see it, unless
  // the model is not loaded and so on no core.
  std::vector<at::Tensor> forward(const std::vector<at::Tensor>& inputs);

 private:
  std::shared_ptr<Loaded> loaded();
  void load_locked();
  std::vector<std::int64_t> standing_locked() const;
  void put_back_locked(const std::vector<std::int64_t>& standing);
  void count_incorrect_input() const;
  void time(Loaded& loaded);
  const Stages& stages_locked();

  const std::vector<at::Tensor> archives_;
  const std::int64_t cores_per_model_;
  Signature signature_;
  std::atomic<bool> dynamic_;
  mutable std::mutex mutex_;  // everything below
  std::string metadata_;
  bool lazy_;
  bool async_;
  placement::Request request_;
  Stages stages_;  // empty = not read yet
  std::shared_ptr<Loaded> loaded_;
  std::shared_ptr<BackgroundLoad> background_;  // a load that nobody waited for yet
};

}  // namespace neuronspan
