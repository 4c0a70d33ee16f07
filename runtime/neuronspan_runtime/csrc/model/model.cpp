#include "model/model.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <utility>

#include "check.h"
#include "device/device.h"
#include "device/pace.h"
#include "model/inference.h"

namespace neuronspan {

namespace {

std::vector<at::Tensor> blobs_of(const std::vector<std::string>& texts) {
  std::vector<at::Tensor> blobs;
  for (const std::string& text : texts) blobs.push_back(blob_of(text));
  return blobs;
}

Saved new_model(const std::vector<std::string>& archives, std::int64_t cores_per_model, std::string metadata) {
  Saved fresh;
  fresh.archives = blobs_of(archives);
  fresh.cores_per_model = cores_per_model;
  fresh.metadata = std::move(metadata);
  return fresh;
}

}  // namespace

Model::Model(const std::vector<std::string>& archives, std::int64_t cores_per_model, std::string metadata)
    : Model(new_model(archives, cores_per_model, std::move(metadata))) {}

Model::Model(Saved saved)
    : archives_(std::move(saved.archives)),
      cores_per_model_(saved.cores_per_model),
      signature_(std::move(saved.signature)),
      dynamic_(saved.dynamic),
      metadata_(std::move(saved.metadata)),
      lazy_(saved.lazy),
      async_(saved.async) {
  TORCH_CHECK(cores_per_model_ >= 1 && cores_per_model_ <= kMaxCores, "a compiled model needs 1 to ", kMaxCores,
              " NeuronCores, got ", cores_per_model_);
  const auto stages = static_cast<std::int64_t>(archives_.size());
  TORCH_CHECK(stages == 1 || stages == cores_per_model_, "a compiled model needs one archive, or one for each of its ",
              cores_per_model_, " NeuronCores, got ", stages);
}

Saved Model::saved() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return {archives_, cores_per_model_, metadata_, lazy_, async_, dynamic_, signature_};
}

void Model::load() { loaded(); }

void Model::load_as_asked() {
  if (lazy_) return;
  if (!async_) return load();
  initialize();  // here, because the background may not run Python
  std::lock_guard<std::mutex> lock(mutex_);
  placement::Request request = request_.is_default() ? placement::get_default() : request_;
  request.settled = true;  // the default is that of now, not of whenever it is its turn
  background_ = load_in_background(archives_, request, static_cast<int>(cores_per_model_), metadata_);
}

void Model::unload() {
  std::lock_guard<std::mutex> lock(mutex_);
  background_.reset();
  loaded_.reset();
  stages_.clear();
}

void Model::set_neuron_devices(std::int64_t start, std::int64_t count) {
  initialize();
  std::lock_guard<std::mutex> lock(mutex_);
  const std::vector<std::int64_t> before = standing_locked();
  std::shared_ptr<BackgroundLoad> loading = std::move(background_);
  background_.reset();
  loaded_.reset();
  request_ = {start, count};
  try {
    load_locked();
  } catch (...) {
    put_back_locked(before);
    background_ = std::move(loading);
    throw;
  }
}

std::vector<std::int64_t> Model::standing() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return standing_locked();
}

void Model::put_back(const std::vector<std::int64_t>& standing) {
  initialize();
  std::lock_guard<std::mutex> lock(mutex_);
  put_back_locked(standing);
}

std::vector<std::int64_t> Model::standing_locked() const {
  std::vector<std::int64_t> standing{request_.start, request_.count};
  if (loaded_) {
    const std::vector<placement::CoreSpan>& spans = loaded_->replicas();
    standing.push_back(spans.front().first);
    standing.push_back(static_cast<std::int64_t>(spans.size()) * spans.front().count);
  }
  return standing;
}

void Model::put_back_locked(const std::vector<std::int64_t>& standing) {
  TORCH_CHECK(standing.size() == 2 || standing.size() == 4, "where a model stood is 2 or 4 numbers, got ", standing.size());
  background_.reset();
  loaded_.reset();
  if (standing.size() == 4) {  // the very cores, also where the least used ones were asked for
    request_ = {standing[2], standing[3]};
    load_locked();
  }
  request_ = {standing[0], standing[1]};
}

bool Model::is_loaded() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return loaded_ != nullptr;
}

std::vector<placement::CoreSpan> Model::placement() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (background_) load_locked();
  return loaded_ ? loaded_->replicas() : std::vector<placement::CoreSpan>();
}

std::int64_t Model::nbytes() {
  std::lock_guard<std::mutex> lock(mutex_);
  std::int64_t sum = 0;
  for (const auto& stage : stages_locked()) sum += static_cast<std::int64_t>(stage->weight_bytes);
  return sum;
}

std::vector<std::int64_t> Model::stage_bytes() {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::int64_t> bytes;
  for (const auto& stage : stages_locked()) bytes.push_back(static_cast<std::int64_t>(stage->weight_bytes));
  return bytes;
}

std::string Model::metadata() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return metadata_;
}

void Model::set_metadata(std::string metadata) {
  std::lock_guard<std::mutex> lock(mutex_);
  metadata_ = std::move(metadata);
}

bool Model::lazy_load() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return lazy_;
}

void Model::set_lazy_load(bool lazy) {
  std::lock_guard<std::mutex> lock(mutex_);
  lazy_ = lazy;
}

bool Model::async_load() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return async_;
}

void Model::set_async_load(bool async) {
  std::lock_guard<std::mutex> lock(mutex_);
  async_ = async;
}

void Model::set_dynamic_batch(bool dynamic) {
  if (dynamic) signature_.batch();
  dynamic_ = dynamic;
}

void Model::set_signature(const std::vector<at::Tensor>& examples, std::vector<std::string> names, std::int64_t arguments,
                          std::int64_t states) {
  signature_ = signature_of(examples, std::move(names), arguments, states);
}

std::shared_ptr<Loaded> Model::loaded() {
  initialize();  // before the lock: it may run Python, which another thread may hold while it waits for us
  std::lock_guard<std::mutex> lock(mutex_);
  if (!loaded_) load_locked();
  return loaded_;
}

void Model::load_locked() {
  if (const std::shared_ptr<BackgroundLoad> made = std::move(background_)) {
    background_.reset();
    TORCH_CHECK(!in_bad_fork(), "the model was being loaded by the process that this one was forked from");
    made->ended.get();
    stages_ = std::move(made->stages);
    loaded_ = std::move(made->loaded);
    return;
  }
  loaded_ = std::make_shared<Loaded>(stages_locked(), request_, static_cast<int>(cores_per_model_), metadata_);
}

const Stages& Model::stages_locked() {
  if (stages_.empty()) stages_ = read_stages(archives_);
  return stages_;
}

std::vector<at::Tensor> Model::forward(const std::vector<at::Tensor>& inputs) {
  const bool dynamic = dynamic_;
  try {
    signature_.check(inputs, dynamic);
  } catch (...) {
    count_incorrect_input();
    throw;
  }
  const std::shared_ptr<Loaded> here = loaded();
  if (C10_UNLIKELY(pace::enabled()) && here->durations() == nullptr) time(*here);
  return infer(*here, inputs, signature_, dynamic);
}

// Asks Python, without a lock held: two threads may both ask, and are told the same.
void Model::time(Loaded& loaded) {
  const auto durations = c10::Dispatcher::singleton().findSchemaOrThrow("neuron::durations", "");
  torch::jit::Stack stack{c10::IValue(c10::intrusive_ptr<Model>::reclaim_copy(this))};
  durations.callBoxed(stack);
  loaded.set_durations(stack.front().toIntVector());
}

std::vector<at::Tensor> Model::inputs() const {
  std::vector<at::Tensor> inputs;
  for (const Signature::Input& input : signature_.inputs())
    inputs.push_back(at::empty(input.sizes, at::TensorOptions(input.type).device(at::kMeta)));
  return inputs;
}

void Model::count_incorrect_input() const {
  std::lock_guard<std::mutex> lock(mutex_);
  if (loaded_) loaded_->count_incorrect_input();
}

}  // namespace neuronspan
