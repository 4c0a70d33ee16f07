#include "device/device.h"

#include <pthread.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "check.h"
#include "device/placement.h"

namespace neuronspan {

namespace {

struct Registry {
  std::array<Core, kMaxCores> cores;
  Hbm hbm;
  std::int64_t first_core = 0;
  std::mutex mutex;              // configure against shutdown
  std::atomic<int> count{0};     // 0 = not initialised; every fast path is one comparison with it
  std::atomic<int> expected{0};  // 0 = nobody told
  std::atomic<Initializer> initializer{nullptr};
  std::atomic<bool> forked{false};
};

// Never destroyed: Python may free tensors after this library's static destructors would have run.
Registry& registry() {
  static Registry* const instance = std::make_unique<Registry>().release();
  return *instance;
}

thread_local c10::DeviceIndex t_current = 0;
thread_local bool t_initializing = false;

// Locks are taken in the order of their use: a thread that holds one of them wants no other.
void before_fork() {
  registry().mutex.lock();
  placement::before_fork();
  telemetry::before_fork();
  registry().hbm.before_fork();
}

void after_fork() {
  registry().hbm.after_fork();
  telemetry::after_fork();
  placement::after_fork();
  registry().mutex.unlock();
}

void after_fork_in_child() {
  Registry& state = registry();
  state.hbm.after_fork_in_child();
  telemetry::after_fork();
  telemetry::close();  // the pages are the parent's
  placement::after_fork();
  state.mutex.unlock();
  if (state.count.load() == 0) return;
  state.forked.store(true);
  state.count.store(0);
}

}  // namespace

std::atomic<std::int64_t> loaded_models{0};

void set_initializer(Initializer initializer) { registry().initializer.store(initializer); }

void set_expected_cores(std::int64_t cores) {
  TORCH_CHECK(cores >= 0 && cores <= kMaxCores, "expected NeuronCores must be between 0 and ", kMaxCores, ", got ", cores);
  registry().expected.store(static_cast<int>(cores));
}

void configure(std::int64_t cores, const HbmLayout& layout, std::vector<std::int64_t> groups) {
  TORCH_CHECK(cores >= 1 && cores <= kMaxCores, "a process can own 1 to ", kMaxCores,
              " NeuronCores (torch device indices are one signed byte), got ", cores);
  placement::check_groups(groups, cores);
  Registry& state = registry();
  std::lock_guard<std::mutex> lock(state.mutex);
  TORCH_CHECK(state.count.load() == 0, "the Neuron runtime is already initialised with ", state.count.load(),
              " NeuronCores: shut it down first");
  static std::once_flag fork_handler;
  std::call_once(fork_handler, [] { pthread_atfork(&before_fork, &after_fork, &after_fork_in_child); });
  state.hbm.open(static_cast<int>(cores), layout, [&](int index) -> Arena& { return state.cores[index].arena; });
  state.first_core = layout.first_core;
  placement::reset(static_cast<int>(cores), std::move(groups));
  state.count.store(static_cast<int>(cores), std::memory_order_release);
}

void shutdown() {
  Registry& state = registry();
  std::lock_guard<std::mutex> lock(state.mutex);
  const int cores = state.count.load();
  std::size_t tensors = 0;
  for (int index = 0; index < cores; ++index) tensors += state.cores[index].arena.stats().live_blocks;
  const std::int64_t models = loaded_models.load();
  TORCH_CHECK(tensors == 0 && models == 0, "cannot close the Neuron runtime: ", tensors, " tensor storages and ", models,
              " loaded models are alive on its NeuronCores. Delete them first");
  if (cores == 0) return;
  state.count.store(0);
  state.hbm.close();
  telemetry::close();
}

bool is_initialized() noexcept { return registry().count.load(std::memory_order_acquire) > 0; }

bool in_bad_fork() noexcept { return registry().forked.load(); }

void initialize() {
  Registry& state = registry();
  if (is_initialized()) return;
  TORCH_CHECK(!in_bad_fork(),
              "Cannot use Neuron devices in a forked child process: the NeuronCores belong to the parent, which had "
              "initialised the Neuron runtime before the fork. Use the 'spawn' start method, or fork before first use");
  const Initializer initializer = state.initializer.load();
  TORCH_CHECK(initializer != nullptr, "the Neuron device has no initializer: import torch_neuronx or torch_neuron first");
  TORCH_CHECK(!t_initializing, "the Neuron runtime was used while it was being initialised by the same thread");
  t_initializing = true;
  const char* const problem = initializer();
  t_initializing = false;
  TORCH_CHECK(problem == nullptr, problem);
  TORCH_CHECK(is_initialized(), "the initializer of the Neuron runtime returned without configuring any NeuronCore");
}

int device_count() {
  initialize();
  return registry().count.load(std::memory_order_acquire);
}

int device_count_or_expected() noexcept {
  Registry& state = registry();
  const int count = state.count.load(std::memory_order_acquire);
  if (count > 0 || in_bad_fork()) return count;
  if (const int expected = state.expected.load(); expected > 0) return expected;
  try {
    return device_count();
  } catch (...) {
    return 0;  // "no device" is the only answer this interface has; the reason is told when a device is really used
  }
}

Core& core(c10::DeviceIndex index) {
  Registry& state = registry();
  if (C10_UNLIKELY(index < 0 || index >= state.count.load(std::memory_order_acquire))) {
    const int count = device_count();
    TORCH_CHECK(index >= 0 && index < count, "Invalid device index. Device index must be between 0 and ", count - 1,
                ", got ", static_cast<int>(index),
                ". Check if NEURON_RT_NUM_CORES is set to the total number of NeuronCores.");
  }
  return state.cores[index];
}

std::string core_name(c10::DeviceIndex index) { return Hbm::core_name(index, registry().first_core); }

c10::DeviceIndex core_of_address(const void* address) noexcept {
  const Arena* const arena = registry().hbm.arena_at(address);
  return static_cast<c10::DeviceIndex>(arena == nullptr ? -1 : arena->index());
}

bool is_device_address(const void* address) noexcept { return registry().hbm.stack_at(address) != nullptr; }

void* host_address(void* device_address, c10::DeviceIndex index) {
  if (device_address == nullptr) return nullptr;
  core(index);  // refuses in a forked child, where the windows are gone
  return registry().hbm.host_address(device_address);
}

void release_block(void* device_address) noexcept {
  if (HbmStack* const stack = registry().hbm.stack_at(device_address)) Arena::release(*stack, device_address);
}

c10::DeviceIndex current_device() noexcept { return t_current; }

void set_current_device(c10::DeviceIndex index) {
  core(index);
  t_current = index;
}

void restore_current_device(c10::DeviceIndex index) noexcept { t_current = index; }

}  // namespace neuronspan
