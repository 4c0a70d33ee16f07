#include "model.h"

#include <ATen/ATen.h>

#include <cstring>
#include <optional>
#include <utility>

#include "alias.h"
#include "check.h"
#include "device.h"
#include "executor.h"

namespace neuronspan {

// What being loaded holds; calls in flight keep it until they end.
struct Model::Loaded {
  Loaded(std::shared_ptr<Compiled> code, const placement::Request& request, int per_model)
      : compiled(std::move(code)), claim(request, per_model) {
    const std::size_t share = (compiled->weight_bytes + static_cast<std::size_t>(per_model) - 1) / static_cast<std::size_t>(per_model);
    for (const placement::CoreSpan& span : claim.replicas()) {
      for (int index = span.first; index < span.first + span.count; ++index) {
        Core& owner = core(static_cast<c10::DeviceIndex>(index));
        charges.emplace_back(owner.arena, share, HbmUse::models);
        owner.host_to_device_bytes += static_cast<std::int64_t>(share);
      }
    }
    ++loaded_models;
  }
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;
  ~Loaded() { --loaded_models; }

  // The replica that answers: the one on the inputs' core, else the next in turn.
  const placement::CoreSpan& replica_for(const std::vector<at::Tensor>& inputs) {
    const auto& replicas = claim.replicas();
    for (std::size_t position = 0; position < inputs.size(); ++position) {
      if (!on_neuron(inputs[position])) continue;
      const int index = inputs[position].device().index();
      for (const placement::CoreSpan& span : replicas)
        if (span.first == index) return span;
      TORCH_CHECK(false, wrong_core(position, index, replicas.front().first));
    }
    return replicas[next.fetch_add(1, std::memory_order_relaxed) % replicas.size()];
  }

  static std::string wrong_core(std::size_t position, int index, int model) {
    return "Tensor input" + std::to_string(position) + " allocated on vnc " + std::to_string(index) +
           " must be allocated on same vnc as model (" + std::to_string(model) + "). Move the input to neuron:" +
           std::to_string(model) + ", or the model with torch_neuronx.set_neuron_cores(model, " + std::to_string(index) + ")";
  }

  std::shared_ptr<Compiled> compiled;
  placement::Claim claim;
  std::vector<HbmCharge> charges;
  std::atomic<std::size_t> next{0};
};

namespace {

at::Tensor bytes_of(const std::string& text) {
  at::Tensor bytes = at::empty({static_cast<std::int64_t>(text.size())}, at::kByte);
  if (!text.empty()) std::memcpy(bytes.mutable_data_ptr(), text.data(), text.size());
  return bytes;
}

// Device memory and CPU memory alike: an output must never share bytes with an input or with the weights.
at::Tensor unshared(at::Tensor output, const std::vector<c10::IValue>& inputs, const Compiled& compiled) {
  bool shared = compiled.weight_storages.count(output.storage().unsafeGetStorageImpl()) > 0;
  for (const c10::IValue& input : inputs) shared = shared || input.toTensor().is_alias_of(output);
  return shared ? output.clone() : output;
}

}  // namespace

Model::Model(const std::string& archive, std::int64_t cores_per_model, std::string metadata)
    : Model(State(bytes_of(archive), cores_per_model, std::move(metadata), false)) {}

Model::Model(State state)
    : archive_(std::get<0>(state).cpu()),  // torch.jit.load(map_location="neuron") puts it on the device
      cores_per_model_(std::get<1>(state)),
      metadata_(std::move(std::get<2>(state))),
      lazy_(std::get<3>(state)) {
  TORCH_CHECK(cores_per_model_ >= 1 && cores_per_model_ <= kMaxCores, "a compiled model needs 1 to ", kMaxCores,
              " NeuronCores, got ", cores_per_model_);
}

Model::~Model() = default;

Model::State Model::state() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return {archive_, cores_per_model_, metadata_, lazy_};
}

void Model::load() { loaded(); }

void Model::unload() {
  std::lock_guard<std::mutex> lock(mutex_);
  loaded_.reset();
  compiled_.reset();
}

void Model::set_neuron_devices(std::int64_t start, std::int64_t count) {
  initialize();
  std::lock_guard<std::mutex> lock(mutex_);
  loaded_.reset();
  request_ = {start, count};
  load_locked();
}

bool Model::is_loaded() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return loaded_ != nullptr;
}

std::vector<placement::CoreSpan> Model::placement() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return loaded_ ? loaded_->claim.replicas() : std::vector<placement::CoreSpan>();
}

std::int64_t Model::nbytes() {
  std::lock_guard<std::mutex> lock(mutex_);
  return static_cast<std::int64_t>(compiled_locked().weight_bytes);
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

std::shared_ptr<Model::Loaded> Model::loaded() {
  initialize();  // before the lock: it may run Python, which another thread may hold while it waits for us
  std::lock_guard<std::mutex> lock(mutex_);
  if (!loaded_) load_locked();
  return loaded_;
}

void Model::load_locked() {
  compiled_locked();
  loaded_ = std::make_shared<Loaded>(compiled_, request_, static_cast<int>(cores_per_model_));
}

const Compiled& Model::compiled_locked() {
  if (!compiled_) compiled_ = read_compiled(archive_);
  return *compiled_;
}

std::vector<at::Tensor> Model::forward(const std::vector<at::Tensor>& inputs) {
  const std::shared_ptr<Loaded> held = loaded();
  const placement::CoreSpan& span = held->replica_for(inputs);
  const auto index = static_cast<c10::DeviceIndex>(span.first);
  Core& owner = core(index);

  bool outputs_stay = !inputs.empty();
  std::vector<c10::IValue> host_inputs;
  host_inputs.reserve(inputs.size() + 1);
  for (std::size_t position = 0; position < inputs.size(); ++position) {
    const at::Tensor& input = inputs[position];
    if (!on_neuron(input)) {
      outputs_stay = false;  // all or nothing: one CPU input sends every output to the CPU
      owner.host_to_device_bytes += static_cast<std::int64_t>(input.nbytes());
    } else {
      TORCH_CHECK(input.device().index() == index, Loaded::wrong_core(position, input.device().index(), index));
    }
    host_inputs.emplace_back(input.requires_grad() ? host_alias(input.detach()) : host_alias(input));
  }
  std::vector<at::Tensor> outputs = execute(held->compiled->module, span, host_inputs);
  for (at::Tensor& output : outputs) {
    if (outputs_stay) {
      output = adopt(output, index);
    } else {
      output = unshared(output, host_inputs, *held->compiled);
      owner.device_to_host_bytes += static_cast<std::int64_t>(output.nbytes());
    }
  }
  return outputs;
}

}  // namespace neuronspan
