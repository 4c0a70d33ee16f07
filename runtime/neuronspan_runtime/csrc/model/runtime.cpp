#include "model/runtime.h"

#include <c10/util/Exception.h>

#include <atomic>
#include <mutex>
#include <utility>

#include "device/device.h"
#include "device/placement.h"

namespace neuronspan {

namespace {

std::atomic<Closer> g_closer{nullptr};

std::mutex g_info_mutex;
std::vector<std::string> g_info;

thread_local bool t_loads_at_once = true;

}  // namespace

void set_closer(Closer closer) { g_closer = closer; }

void set_instance_info(std::vector<std::string> info) {
  const std::lock_guard<std::mutex> lock(g_info_mutex);
  g_info = std::move(info);
}

bool loads_at_once() { return t_loads_at_once; }
bool set_loading(bool enabled) { return std::exchange(t_loads_at_once, enabled); }

void Runtime::initialize() { neuronspan::initialize(); }

void Runtime::unsafe_close() {
  const Closer closer = g_closer;
  const char* const problem = closer == nullptr ? nullptr : closer();
  TORCH_CHECK(problem == nullptr, problem);
}

std::int64_t Runtime::get_nc_count() {
  const int count = device_count_or_expected();
  return count > 0 ? count : -1;
}

std::int64_t Runtime::get_visible_nc_count() {
  try {
    return device_count();
  } catch (const c10::Error&) {
    return -1;
  }
}

std::vector<std::string> Runtime::get_instance_info() {
  const std::lock_guard<std::mutex> lock(g_info_mutex);
  return g_info;
}

void Runtime::set_default_neuron_cores(std::int64_t start, std::int64_t count) { placement::set_default({start, count}); }
std::int64_t Runtime::get_default_start_nc() { return placement::get_default().start; }
std::int64_t Runtime::get_default_nc_count() { return placement::get_default().count; }

void Runtime::enable() { set_loading(true); }
void Runtime::disable() { set_loading(false); }

}  // namespace neuronspan
