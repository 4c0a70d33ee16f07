#include "model/loaded.h"

#include <c10/util/Exception.h>

#include <utility>

#include "device/device.h"
#include "model/background.h"
#include "operators/alias.h"
#include "reporting/runtime_log.h"

namespace neuronspan {

namespace {

Core& core_at(int index) { return core(static_cast<c10::DeviceIndex>(index)); }

// A stage's weights are on its own core; a model that was not cut spreads its weights evenly.
std::vector<std::size_t> bytes_per_core(const Stages& stages, std::size_t cores) {
  std::vector<std::size_t> shares;
  for (const auto& stage : stages) shares.push_back(stage->weight_bytes);
  if (shares.size() != cores) shares.assign(cores, (shares.front() + cores - 1) / cores);
  return shares;
}

// The lines that the real runtime writes when a model does not find its cores, those whose whole text is known.
placement::Claim claimed(const placement::Request& request, int cores_per_model, const std::string& metadata) {
  try {
    return placement::Claim(request, cores_per_model);
  } catch (const placement::NoSuchCore& refused) {
    log_errors({{"TDRV:db_vtpb_get_mla_and_tpb", "Could not find VNC id " + std::to_string(refused.core)},
                {"NMGR:stage_kelf_models", "Failed to stage graph: kelf-a.json to NeuronCore"},
                {"NMGR:kmgr_load_nn_post_metrics", "Failed to load NN: " + telemetry::json_text(metadata, "name") + ", err: 2"}});
    throw;
  }
}

// The core that the tensor is on, or -1 for the CPU.
int core_of(const at::Tensor& tensor) { return on_neuron(tensor) ? tensor.device().index() : -1; }

[[noreturn]] void refuse_core(std::size_t position, int found_on, int expected) {
  telemetry::add(telemetry::page(static_cast<std::size_t>(expected)).incorrect_input, 1);
  const std::string text = c10::str("Tensor input", position, " allocated on vnc ", found_on,
                                    " must be allocated on same vnc as model (", expected, ")");
  log_errors({{"NMGR:dlr_check_tensor_set_on_same_vtpb_v2", text}});
  TORCH_CHECK(false, text, ". Move the input to neuron:", expected,
              ", or the model with torch_neuronx.set_neuron_cores(model, ", found_on, ")");
}

}  // namespace

Loaded::Loaded(Stages stages, const placement::Request& request, int cores_per_model, const std::string& metadata)
    : stages_(std::move(stages)), claim_(claimed(request, cores_per_model, metadata)) {
  const std::vector<std::size_t> shares = bytes_per_core(stages_, static_cast<std::size_t>(cores_per_model));
  for (const placement::CoreSpan& span : replicas())
    for (int offset = 0; offset < span.count; ++offset)
      charges_.emplace_back(core_at(span.first + offset).arena, shares[offset], HbmUse::models);
  for (const placement::CoreSpan& span : replicas()) {  // only now that everything fits
    const std::int64_t id = telemetry::next_model_id();
    for (int offset = 0; offset < span.count; ++offset) {
      Core& owner = core_at(span.first + offset);
      owner.host_to_device.add(shares[offset]);
      listings_.emplace_back(owner.page, id, metadata, shares[offset], offset, span.first);
    }
  }
  ++loaded_models;
}

Loaded::~Loaded() { --loaded_models; }

const placement::CoreSpan* Loaded::replica_on(int core) const {
  for (const placement::CoreSpan& span : replicas())
    if (span.first == core) return &span;
  return nullptr;
}

const placement::CoreSpan& Loaded::next_replica() {
  return replicas()[next_.fetch_add(1, std::memory_order_relaxed) % replicas().size()];
}

Route Loaded::route(const std::vector<at::Tensor>& inputs, const Signature& signature) {
  const std::size_t arguments = signature.arguments(inputs.size());
  const placement::CoreSpan* span = nullptr;
  bool outputs_stay = !inputs.empty();
  std::size_t position = 0;
  for (; position < arguments; ++position) {
    const int found_on = core_of(inputs[position]);
    if (found_on < 0) {
      outputs_stay = false;
      continue;
    }
    if (span == nullptr) span = replica_on(found_on);
    const int expected = (span != nullptr ? *span : replicas().front()).first;
    if (C10_UNLIKELY(found_on != expected)) refuse_core(position, found_on, expected);
  }
  if (span == nullptr) span = signature.has_states() ? &replicas().front() : &next_replica();
  // weights and states are on one replica's core, and every replica reads them there
  for (; position < inputs.size(); ++position) {
    const int found_on = core_of(inputs[position]);
    if (found_on < 0) {
      outputs_stay = false;
    } else if (C10_UNLIKELY(found_on != span->first && replica_on(found_on) == nullptr)) {
      refuse_core(position, found_on, span->first);
    }
  }
  return {*span, outputs_stay};
}

std::shared_ptr<const Durations> Loaded::durations() const {
  std::lock_guard<std::mutex> lock(durations_mutex_);
  return durations_;
}

void Loaded::set_durations(Durations durations) {
  TORCH_CHECK(durations.size() == stages_.size(), "a model of ", stages_.size(), " stages was given ", durations.size(), " durations");
  std::lock_guard<std::mutex> lock(durations_mutex_);
  durations_ = std::make_shared<const Durations>(std::move(durations));
}

void Loaded::count_incorrect_input() const noexcept {
  telemetry::add(telemetry::page(static_cast<std::size_t>(replicas().front().first)).incorrect_input, 1);
}

std::shared_ptr<BackgroundLoad> load_in_background(const std::vector<at::Tensor>& archives, const placement::Request& request,
                                                   int cores_per_model, const std::string& metadata) {
  auto load = std::make_shared<BackgroundLoad>();
  load->ended = background::run([shared = load, archives, request, cores_per_model, metadata]() mutable {
    const std::shared_ptr<BackgroundLoad> made = std::move(shared);  // not kept in what `ended` keeps
    if (made.use_count() == 1) return;                               // unloaded, or gone, by now
    made->stages = read_stages(archives);
    made->loaded = std::make_shared<Loaded>(made->stages, request, cores_per_model, metadata);
  });
  return load;
}

}  // namespace neuronspan
