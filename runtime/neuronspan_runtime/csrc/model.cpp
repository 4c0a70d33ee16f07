#include "model.h"

#include <ATen/ATen.h>

#include <optional>
#include <utility>

#include "alias.h"
#include "background.h"
#include "batching.h"
#include "check.h"
#include "device.h"
#include "executor.h"

namespace neuronspan {

// What being loaded holds; calls in flight keep it until they end.
struct Model::Loaded {
  Loaded(Stages code, const placement::Request& request, int per_model, const std::string& metadata)
      : stages(std::move(code)), claim(request, per_model) {
    const std::vector<std::size_t> shares = bytes_per_core(stages, static_cast<std::size_t>(per_model));
    for (const placement::CoreSpan& span : claim.replicas())
      for (int offset = 0; offset < span.count; ++offset)
        charges.emplace_back(core_at(span.first + offset).arena, shares[offset], HbmUse::models);
    for (const placement::CoreSpan& span : claim.replicas()) {  // only now that everything fits
      const std::int64_t id = telemetry::next_model_id();
      for (int offset = 0; offset < span.count; ++offset) {
        Core& owner = core_at(span.first + offset);
        owner.host_to_device.add(shares[offset]);
        listings.emplace_back(owner.page, id, metadata, shares[offset], offset, span.first);
      }
    }
    ++loaded_models;
  }
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;
  ~Loaded() { --loaded_models; }

  const placement::CoreSpan* replica_on(int core) const {
    for (const placement::CoreSpan& span : claim.replicas())
      if (span.first == core) return &span;
    return nullptr;
  }

  // The replica that answers: the one on the core of the caller's inputs, else the next in turn; always the first one
  // when there are states, which are there and only there.
  const placement::CoreSpan& replica_for(const std::vector<at::Tensor>& inputs, const Signature& signature) {
    const auto& replicas = claim.replicas();
    const std::size_t arguments = signature.arguments(inputs.size());
    for (std::size_t position = 0; position < arguments; ++position) {
      if (!on_neuron(inputs[position])) continue;
      const int index = inputs[position].device().index();
      const placement::CoreSpan* const found = replica_on(index);
      TORCH_CHECK(found != nullptr, wrong_core(position, index, replicas.front().first));
      return *found;
    }
    if (signature.has_states()) return replicas.front();
    return replicas[next.fetch_add(1, std::memory_order_relaxed) % replicas.size()];
  }

  static Core& core_at(int index) { return core(static_cast<c10::DeviceIndex>(index)); }

  // A stage's weights are on its own core; a model that was not cut spreads its weights evenly.
  static std::vector<std::size_t> bytes_per_core(const Stages& stages, std::size_t cores) {
    std::vector<std::size_t> shares;
    for (const auto& stage : stages) shares.push_back(stage->weight_bytes);
    if (shares.size() != cores) shares.assign(cores, (shares.front() + cores - 1) / cores);
    return shares;
  }

  // Counts the call as refused for its input, and says why.
  static std::string wrong_core(std::size_t position, int index, int model) {
    telemetry::add(core(static_cast<c10::DeviceIndex>(model)).page.incorrect_input, 1);
    return "Tensor input" + std::to_string(position) + " allocated on vnc " + std::to_string(index) +
           " must be allocated on same vnc as model (" + std::to_string(model) + "). Move the input to neuron:" +
           std::to_string(model) + ", or the model with torch_neuronx.set_neuron_cores(model, " + std::to_string(index) + ")";
  }

  Stages stages;
  placement::Claim claim;
  std::vector<HbmCharge> charges;
  std::vector<telemetry::Listing> listings;
  std::atomic<std::size_t> next{0};
};

// A load in the background: what it made, once `ended` says so.
struct Model::Background {
  Stages stages;
  std::shared_ptr<Loaded> loaded;
  std::shared_future<void> ended;
};

namespace {

std::vector<at::Tensor> blobs_of(const std::vector<std::string>& texts) {
  std::vector<at::Tensor> blobs;
  for (const std::string& text : texts) blobs.push_back(blob_of(text));
  return blobs;
}

std::vector<at::Tensor> on_host(std::vector<at::Tensor> archives) {
  for (at::Tensor& archive : archives) archive = archive.cpu();
  return archives;
}

Stages read(const std::vector<at::Tensor>& archives) {
  Stages stages;
  for (const at::Tensor& archive : archives) stages.push_back(read_compiled(archive));
  return stages;
}

// One request through all stages. It holds only the core of the stage that it is in, so that the next request can be in
// the stage before; what it carries between stages is its own.
std::vector<at::Tensor> run(const Stages& stages, const placement::CoreSpan& span, std::vector<c10::IValue> values) {
  telemetry::Call call(core(static_cast<c10::DeviceIndex>(span.first)).page);
  if (stages.size() == 1) return tensors_of(execute(stages.front()->runnable, span, std::move(values), call));
  for (std::size_t stage = 0; stage + 1 < stages.size(); ++stage) {
    const placement::CoreSpan own{span.first + static_cast<int>(stage), 1};
    const c10::IValue carried = execute(stages[stage]->runnable, own, std::move(values), call);
    values = carried.toTupleRef().elements().vec();
  }
  return tensors_of(execute(stages.back()->runnable, {span.first + span.count - 1, 1}, std::move(values), call));
}

// Device memory and CPU memory alike: an output must never share bytes with an input or with the weights.
at::Tensor unshared(at::Tensor output, const std::vector<c10::IValue>& inputs, const Stages& stages) {
  bool shared = false;
  for (const auto& stage : stages)
    shared = shared || stage->weight_storages.count(output.storage().unsafeGetStorageImpl()) > 0;
  for (const c10::IValue& input : inputs) shared = shared || input.toTensor().is_alias_of(output);
  return shared ? output.clone() : output;
}

}  // namespace

Model::Model(const std::vector<std::string>& archives, std::int64_t cores_per_model, std::string metadata)
    : Model(State(blobs_of(archives), cores_per_model, std::move(metadata), false, false, false, Signature().state())) {}

Model::Model(State state)
    : archives_(on_host(std::move(std::get<0>(state)))),  // torch.jit.load(map_location="neuron") puts it on the device
      cores_per_model_(std::get<1>(state)),
      signature_(std::move(std::get<6>(state))),
      dynamic_(std::get<5>(state)),
      metadata_(std::move(std::get<2>(state))),
      lazy_(std::get<3>(state)),
      async_(std::get<4>(state)) {
  TORCH_CHECK(cores_per_model_ >= 1 && cores_per_model_ <= kMaxCores, "a compiled model needs 1 to ", kMaxCores,
              " NeuronCores, got ", cores_per_model_);
  const auto stages = static_cast<std::int64_t>(archives_.size());
  TORCH_CHECK(stages == 1 || stages == cores_per_model_, "a compiled model needs one archive, or one for each of its ",
              cores_per_model_, " NeuronCores, got ", stages);
}

Model::~Model() = default;

Model::State Model::state() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return {archives_, cores_per_model_, metadata_, lazy_, async_, dynamic_, signature_.state()};
}

void Model::load() { loaded(); }

void Model::load_as_asked() {
  if (lazy_) return;
  if (!async_) return load();
  initialize();  // here, because the background may not run Python
  std::lock_guard<std::mutex> lock(mutex_);
  placement::Request request = request_.is_default() ? placement::get_default() : request_;
  request.settled = true;  // the default is that of now, not of whenever it is its turn
  background_ = std::make_shared<Background>();
  background_->ended = background::run([shared = background_, archives = archives_, request, cores = cores_per_model_, metadata = metadata_]() mutable {
    const std::shared_ptr<Background> made = std::move(shared);  // not kept in what `ended` keeps
    if (made.use_count() == 1) return;                           // unloaded, or gone, by now
    made->stages = read(archives);
    made->loaded = std::make_shared<Loaded>(made->stages, request, static_cast<int>(cores), metadata);
  });
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
  background_.reset();
  loaded_.reset();
  request_ = {start, count};
  load_locked();
}

bool Model::is_loaded() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return loaded_ != nullptr;
}

std::vector<placement::CoreSpan> Model::placement() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (background_) load_locked();
  return loaded_ ? loaded_->claim.replicas() : std::vector<placement::CoreSpan>();
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
  signature_ = Signature(examples, std::move(names), arguments, states);
}

std::shared_ptr<Model::Loaded> Model::loaded() {
  initialize();  // before the lock: it may run Python, which another thread may hold while it waits for us
  std::lock_guard<std::mutex> lock(mutex_);
  if (!loaded_) load_locked();
  return loaded_;
}

void Model::load_locked() {
  if (const std::shared_ptr<Background> made = std::move(background_)) {
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
  if (stages_.empty()) stages_ = read(archives_);
  return stages_;
}

std::vector<at::Tensor> Model::forward(const std::vector<at::Tensor>& inputs) {
  const bool dynamic = dynamic_;
  signature_.check(inputs, dynamic);
  const std::shared_ptr<Loaded> held = loaded();
  const placement::CoreSpan& span = held->replica_for(inputs, signature_);
  const std::size_t arguments = signature_.arguments(inputs.size());
  const auto index = static_cast<c10::DeviceIndex>(span.first);
  Core& owner = core(index);

  bool outputs_stay = !inputs.empty();
  std::vector<c10::IValue> host_inputs;
  host_inputs.reserve(inputs.size() + 1);
  for (std::size_t position = 0; position < inputs.size(); ++position) {
    const at::Tensor& input = inputs[position];
    if (!on_neuron(input)) {
      outputs_stay = false;  // all or nothing: one CPU input sends every output to the CPU
      owner.host_to_device.add(input.nbytes());
    } else {
      const int where = input.device().index();
      // weights and states are on one replica's core, and every replica reads them there
      const bool reachable = where == index || (position >= arguments && held->replica_on(where) != nullptr);
      TORCH_CHECK(reachable, Loaded::wrong_core(position, where, index));
    }
    host_inputs.emplace_back(input.requires_grad() ? host_alias(input.detach()) : host_alias(input));
  }
  std::vector<at::Tensor> outputs;
  if (dynamic && inputs[0].size(0) != signature_.batch()) {
    const auto once = [&](std::vector<c10::IValue> rows) { return run(held->stages, span, std::move(rows)); };
    outputs = in_batches(host_inputs, arguments, signature_.batch(), once);
  } else {
    outputs = run(held->stages, span, host_inputs);
  }
  for (at::Tensor& output : outputs) {
    if (outputs_stay) {
      output = adopt(std::move(output), index);
    } else {
      output = unshared(output, host_inputs, held->stages);
      owner.device_to_host.add(output.nbytes());
    }
  }
  return outputs;
}

}  // namespace neuronspan
