// The NeuronCores this process owns, and when they become known: at first use, through the registered initializer.
// Law: nothing here may call the initializer while holding a lock, because it runs Python and needs its GIL.
#pragma once

#include <c10/core/Device.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "device/turnstile.h"
#include "hbm/hbm.h"
#include "reporting/telemetry.h"

namespace neuronspan {

constexpr c10::DeviceType kNeuron = c10::DeviceType::PrivateUse1;
// c10::DeviceIndex is a signed byte, and so is the count torch asks for.
constexpr int kMaxCores = 127;
static_assert(kMaxCores == telemetry::kPages, "every core counts on a page of its own");

// Copies in one direction: their bytes, which the tools see, and how many.
struct Transfers {
  telemetry::Counter& bytes;
  telemetry::Counter count{0};
  void add(std::size_t size) {
    telemetry::add(bytes, static_cast<std::int64_t>(size));
    telemetry::add(count, 1);
  }
};

// What one NeuronCore has: memory, its turn for running models, and counters, which live where the tools see them.
struct Core {
  telemetry::Page& page = telemetry::next_page();
  Arena arena{page};
  Turnstile running;  // a NeuronCore executes one model at a time, and whoever came first goes first
  Transfers host_to_device{page.host_to_device_bytes};
  Transfers device_to_host{page.device_to_host_bytes};
  Transfers device_to_device{page.device_to_device_bytes};
  telemetry::Counter& executions = page.executions;
  telemetry::Counter& busy_nanoseconds = page.busy_nanoseconds;
};

// Returns nullptr, or a text that becomes the RuntimeError. Must be thread safe and call `configure` once.
using Initializer = const char* (*)();

void set_initializer(Initializer initializer);
// Upper bound of the cores this process may come to own; lets autograd size its threads without claiming any.
void set_expected_cores(std::int64_t cores);

// Makes the cores usable, with NeuronCore groups of these sizes: all of it, or nothing and an error.
void configure(std::int64_t cores, const HbmLayout& layout, std::vector<std::int64_t> groups);
// Gives everything back; the next use runs the initializer again. Fails while tensors or models are alive.
void shutdown();

bool is_initialized() noexcept;
// True in a child forked from a process whose runtime was initialised: the cores stay the parent's.
bool in_bad_fork() noexcept;
// Runs the initializer if needed. Throws its text.
void initialize();

// Owned cores; initialises.
int device_count();
// Owned cores, or the expected ones before initialisation; never claims when an expectation is set.
int device_count_or_expected() noexcept;
// Checked access; initialises. Throws on an index outside 0..count-1.
Core& core(c10::DeviceIndex index);
// "neuron:1 (NeuronCore 5)": process index and node numbering.
std::string core_name(c10::DeviceIndex index);

// Index of the core that the address belongs to, or -1.
c10::DeviceIndex core_of_address(const void* address) noexcept;
bool is_device_address(const void* address) noexcept;
// The accessible address of a device address of `index`. Throws in a forked child.
void* host_address(void* device_address, c10::DeviceIndex index);
// Frees a block; a no-op for foreign addresses. In a forked child only the books change. A c10::DeleterFnPtr.
void release_block(void* device_address) noexcept;

// The calling thread's device.
c10::DeviceIndex current_device() noexcept;
void set_current_device(c10::DeviceIndex index);
// Without any check: for noexcept callers that restore an earlier value.
void restore_current_device(c10::DeviceIndex index) noexcept;

// Models that hold cores; counted for `shutdown`.
extern std::atomic<std::int64_t> loaded_models;

// Makes `index` current for a scope; a negative index keeps the current device.
class DeviceScope {
 public:
  explicit DeviceScope(c10::DeviceIndex index) : previous_(current_device()) {
    if (index >= 0) set_current_device(index);
  }
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;
  ~DeviceScope() { restore_current_device(previous_); }

 private:
  c10::DeviceIndex previous_;
};

}  // namespace neuronspan
