// What Python sees: torch.ops.neuron.*, torch.classes.neuron.Model and Runtime, and C symbols that register callbacks.

#include <torch/custom_class.h>
#include <torch/library.h>

#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "device/device.h"
#include "device/pace.h"
#include "device/placement.h"
#include "graph/partition.h"
#include "graph/profile.h"
#include "model/background.h"
#include "model/model.h"
#include "model/pickling.h"
#include "model/runtime.h"
#include "operators/alias.h"
#include "reporting/runtime_log.h"

// A ctypes callback; see Initializer in device/device.h.
extern "C" __attribute__((visibility("default"))) void neuronspan_set_initializer(const char* (*initializer)()) {
  neuronspan::set_initializer(initializer);
}

// A ctypes callback; see Reclaimer in hbm/arena.h.
extern "C" __attribute__((visibility("default"))) void neuronspan_set_reclaimer(void (*reclaimer)()) {
  neuronspan::set_reclaimer(reclaimer);
}

// A ctypes callback; see Closer in model/runtime.h.
extern "C" __attribute__((visibility("default"))) void neuronspan_set_closer(const char* (*closer)()) {
  neuronspan::set_closer(closer);
}

namespace neuronspan {

namespace {

using ModelPointer = c10::intrusive_ptr<Model>;

c10::DeviceIndex index_of(std::int64_t index) {
  TORCH_CHECK(index >= 0 && index <= kMaxCores, "Invalid device index ", index);
  return static_cast<c10::DeviceIndex>(index);
}

// Every number that is told of one core, by the name that torch_neuronx's memory functions know it by.
c10::Dict<std::string, std::int64_t> memory_stats(std::int64_t index) {
  Core& owner = core(index_of(index));
  const HbmStats hbm = owner.arena.stats();
  c10::Dict<std::string, std::int64_t> numbers;
  const auto add = [&](const char* name, auto number) { numbers.insert(name, static_cast<std::int64_t>(number)); };
  add("allocated", hbm.allocated());
  add("models", hbm.models);
  add("code", hbm.code);
  add("peak", hbm.peak);
  add("limit", hbm.capacity);
  add("free", hbm.free);
  add("largest_free", hbm.largest_free);
  add("allocations", hbm.counters.allocations);
  add("frees", hbm.counters.frees);
  add("failures", hbm.counters.failures);
  add("recent_requests", hbm.recent.requests);
  add("recent_frees", hbm.recent.frees);
  add("recent_retries", hbm.recent.retries);
  add("recent_failures", hbm.recent.failures);
  add("recent_allocated_bytes", hbm.recent.allocated_bytes);
  add("recent_freed_bytes", hbm.recent.freed_bytes);
  add("host_to_device", owner.host_to_device.bytes.load());
  add("host_to_device_count", owner.host_to_device.count.load());
  add("device_to_host", owner.device_to_host.bytes.load());
  add("device_to_host_count", owner.device_to_host.count.load());
  add("device_to_device", owner.device_to_device.bytes.load());
  add("device_to_device_count", owner.device_to_device.count.load());
  add("executions", owner.executions.load());
  add("busy_nanoseconds", owner.busy_nanoseconds.load());
  add("simulated_nanoseconds", owner.page.simulated_nanoseconds.load());
  add("computing_nanoseconds", owner.page.computing_nanoseconds.load());
  return numbers;
}

bool open_telemetry(std::int64_t descriptor, std::int64_t cores) {
  return telemetry::open(static_cast<int>(descriptor), static_cast<std::size_t>(cores));
}

std::int64_t telemetry_bucket(std::int64_t nanoseconds) {
  return static_cast<std::int64_t>(telemetry::bucket_of(nanoseconds));
}

void empty_cache() {
  if (!is_initialized()) return;
  for (int index = 0; index < device_count(); ++index) core(index_of(index)).arena.trim();
}

void configure_with(std::int64_t cores, std::int64_t hbm_bytes_per_core, std::int64_t first_core, std::int64_t carve_out,
                    std::int64_t small_pool, std::int64_t cores_per_stack, std::int64_t cores_per_device,
                    std::int64_t logical_core_size, bool log_exhaustion, std::string ledgers, std::vector<std::int64_t> groups,
                    bool log_errors) {
  const HbmLayout layout{hbm_bytes_per_core, first_core, carve_out, small_pool, cores_per_stack, cores_per_device,
                         logical_core_size, log_exhaustion, std::move(ledgers)};
  set_error_log(log_errors);
  configure(cores, layout, std::move(groups));
}

std::tuple<std::int64_t, std::int64_t> set_default_cores(std::int64_t start, std::int64_t count) {
  const placement::Request old = placement::set_default({start, count});
  return {old.start, old.count};
}

std::tuple<std::int64_t, std::int64_t> get_default_cores() {
  const placement::Request request = placement::get_default();
  return {request.start, request.count};
}

c10::List<c10::List<std::int64_t>> spans_of(const ModelPointer& model) {
  c10::List<c10::List<std::int64_t>> spans;
  for (const placement::CoreSpan& span : model->placement())
    spans.push_back(c10::List<std::int64_t>({std::int64_t(span.first), std::int64_t(span.count)}));
  return spans;
}

// The placement hook: this runs inside a plain torch.jit.load, and when a model is copied.
ModelPointer restore(pickling::Packed packed) {
  auto model = c10::make_intrusive<Model>(pickling::unpacked(std::move(packed)));
  if (loads_at_once()) model->load_as_asked();
  return model;
}

std::vector<at::Tensor> forward(const std::vector<at::Tensor>& inputs, const ModelPointer& model) { return model->forward(inputs); }

// The same, of a schema that tells torch's optimizer that two calls differ: the model writes its states.
std::vector<at::Tensor> forward_with_states(std::vector<at::Tensor> inputs, const std::vector<at::Tensor>& states, const ModelPointer& model) {
  inputs.insert(inputs.end(), states.begin(), states.end());
  return model->forward(inputs);
}

}  // namespace

TORCH_LIBRARY(neuron, library) {
  library.class_<Model>("Model")
      .def(torch::init<const std::vector<std::string>&, std::int64_t, std::string>())
      .def("load", &Model::load)
      .def("unload", &Model::unload)
      .def("is_loaded", &Model::is_loaded)
      .def("set_neuron_devices", &Model::set_neuron_devices)
      .def("standing", &Model::standing)
      .def("put_back", &Model::put_back)
      .def("placement", &spans_of)
      .def("nbytes", &Model::nbytes)
      .def("stage_bytes", &Model::stage_bytes)
      .def("cores_per_model", &Model::cores_per_model)
      .def("archives", &Model::archives)
      .def("inputs", &Model::inputs)
      .def("metadata", &Model::metadata)
      .def("set_metadata", &Model::set_metadata)
      .def("lazy_load", &Model::lazy_load)
      .def("set_lazy_load", &Model::set_lazy_load)
      .def("async_load", &Model::async_load)
      .def("set_async_load", &Model::set_async_load)
      .def("dynamic_batch", &Model::dynamic_batch)
      .def("set_dynamic_batch", &Model::set_dynamic_batch)
      .def("set_signature", &Model::set_signature)
      .def_pickle([](const ModelPointer& model) { return pickling::packed(model->saved()); },
                  [](pickling::Packed packed) { return restore(std::move(packed)); });
  library.class_<Runtime>("Runtime")
      .def(torch::init<>())
      .def("initialize", &Runtime::initialize)
      .def("unsafe_close", &Runtime::unsafe_close)
      .def("get_nc_count", &Runtime::get_nc_count)
      .def("get_visible_nc_count", &Runtime::get_visible_nc_count)
      .def("get_instance_info", &Runtime::get_instance_info)
      .def("set_default_neuron_cores", &Runtime::set_default_neuron_cores)
      .def("get_default_start_nc", &Runtime::get_default_start_nc)
      .def("get_default_nc_count", &Runtime::get_default_nc_count)
      .def("enable", &Runtime::enable)
      .def("disable", &Runtime::disable);
  library.def("forward_v2(Tensor[] xs, __torch__.torch.classes.neuron.Model m) -> Tensor[]");
  library.def("forward_with_states(Tensor[] xs, Tensor(a!)[] states, __torch__.torch.classes.neuron.Model m) -> Tensor[]");
  library.def("durations(__torch__.torch.classes.neuron.Model m) -> int[]");  // Python implements it
  library.def("set_pace(bool enabled, float to_device, float to_host) -> ()", &pace::set);
  library.def("finish_loading() -> ()", &background::finish);

  library.def("measure(Tensor archive, Tensor[] example) -> (int[], int[], bool[])");
  library.def("cut(Tensor archive, Tensor[] example, int[] boundaries) -> Tensor[]");

  library.def(
      "configure(int cores, int hbm_bytes_per_core, int first_core, int carve_out_bytes=-1, int small_pool_bytes=-1, "
      "int cores_per_stack=1, int cores_per_device=1, int logical_core_size=1, bool log_exhaustion=True, "
      "str ledgers=\"\", int[] groups=[], bool log_errors=True) -> ()",
      &configure_with);
  library.def("shutdown() -> ()", &shutdown);
  library.def("initialize() -> ()", &initialize);
  library.def("is_initialized() -> bool", [] { return is_initialized(); });
  library.def("in_bad_fork() -> bool", [] { return in_bad_fork(); });
  library.def("set_expected_cores(int cores) -> ()", &set_expected_cores);
  library.def("set_instance_info(str[] info) -> ()", &set_instance_info);
  library.def("device_count() -> int", [] { return std::int64_t(device_count()); });
  library.def("current_device() -> int", [] { return std::int64_t(current_device()); });
  library.def("set_device(int index) -> ()", [](std::int64_t index) { set_current_device(index_of(index)); });

  library.def("set_default_cores(int start, int count) -> (int, int)", &set_default_cores);
  library.def("get_default_cores() -> (int, int)", &get_default_cores);
  library.def("set_loading(bool enabled) -> bool", &set_loading);
  library.def("core_usage() -> int[]", &placement::usage);

  library.def("memory_stats(int core) -> Dict(str, int)", &memory_stats);
  library.def("reset_peak_memory(int core) -> ()", [](std::int64_t index) { core(index_of(index)).arena.reset_peak(); });
  library.def("reset_memory_counters(int core) -> ()",
              [](std::int64_t index) { core(index_of(index)).arena.reset_counters(); });
  library.def("empty_cache() -> ()", &empty_cache);

  library.def("host_alias(Tensor device) -> Tensor");

  library.def("open_telemetry(int descriptor, int cores) -> bool", &open_telemetry);
  library.def("close_telemetry() -> ()", [] { telemetry::close(); });
  library.def("telemetry_layout() -> str", &telemetry::layout);
  library.def("telemetry_bucket(int nanoseconds) -> int", &telemetry_bucket);
}

TORCH_LIBRARY_IMPL(neuron, CompositeExplicitAutograd, library) {
  library.impl("forward_v2", &forward);
  library.impl("forward_with_states", &forward_with_states);
  library.impl("measure", &measure);
  library.impl("cut", &cut);
  library.impl("host_alias", &host_alias);
}

// A compiled model has no backward pass; without this torch would look for one in every call.
TORCH_LIBRARY_IMPL(neuron, Autograd, library) {
  for (const char* name : {"forward_v2", "forward_with_states"}) library.impl(name, torch::CppFunction::makeFallthrough());
}

}  // namespace neuronspan
