// What the tools see of a process while it runs: one page of counters per NeuronCore, in memory of its own that they read.
// Law: a page never moves. Opening puts the shared memory under its address, closing puts private memory there again, so
// counting is one relaxed addition and never asks whether anybody looks. Memory that somebody could cut off is not
// mapped: counting on it would end the process. telemetry/page_layout.py states the layout; a test compares both.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>

namespace neuronspan::telemetry {

using Counter = std::atomic<std::int64_t>;
static_assert(Counter::is_always_lock_free && sizeof(Counter) == sizeof(std::int64_t), "the tools read plain numbers");

constexpr std::size_t kPages = 127;  // one for each core that a process can own; device/device.h says why no more
constexpr std::size_t kPageBytes = 16384;
constexpr std::size_t kHeaderBytes = 576;  // Python's, written before the page is opened here
constexpr std::size_t kBuckets = 208;
constexpr std::size_t kModels = 64;

// Executions by how long they took: exact to 1 us below 16 us, to an eighth of a power of two above.
using Histogram = std::array<Counter, kBuckets>;
std::size_t bucket_of(std::int64_t nanoseconds) noexcept;

// One loaded model's part on this core; free while the id is 0.
struct ModelSlot {
  Counter id;
  std::int64_t bytes;
  std::int32_t subgraph;    // 0 for the first core of a replica
  std::int32_t first_core;  // of the replica, counted from this process's first
  char uuid[40];
  char name[112];
};

struct Page {
  char header[kHeaderBytes];
  // calls, by how they ended; on the first core of the replica that ran them
  Counter completed;
  Counter completed_with_error;
  Counter completed_with_numerical_error;
  Counter timed_out;
  Counter incorrect_input;
  Counter failed_to_queue;
  // time of the core, on every core of the replica
  Counter executions;
  Counter busy_nanoseconds;
  Counter running_since;  // of the monotonic clock, 0 = idle: a long execution is seen before it ends
  // memory
  Counter tensor_bytes;
  Counter model_bytes;
  Counter peak_bytes;
  Counter capacity_bytes;
  Counter host_to_device_bytes;
  Counter device_to_host_bytes;
  Counter device_to_device_bytes;
  Counter allocation_failures;
  Counter models_loaded;    // now
  Counter model_loads;      // ever
  Counter models_sequence;  // odd while the table below changes
  Counter code_bytes;
  // executions of models that are to last what a core needs, on every core of the replica
  Counter simulated_nanoseconds;  // what they were to last
  Counter computing_nanoseconds;  // what the CPU needed for them
  Counter reserved;
  Histogram total_latency;   // waiting for the core included
  Histogram device_latency;  // from its turn on the core
  ModelSlot models[kModels];
  char unused[kPageBytes - kHeaderBytes - 24 * 8 - 2 * kBuckets * 8 - kModels * sizeof(ModelSlot)];
};
static_assert(sizeof(Page) == kPageBytes, "pages are mapped one by one");

// The page of core `index`. Its address is the same for the life of the process.
Page& page(std::size_t index);
// The pages in turn, for an array of cores.
Page& next_page();

// Puts the pages of a sealed memory file under the counters of the first `count` cores, and seals it against all other
// writers; or fresh private memory when it is too small or could still shrink: then the process works without telemetry.
// The descriptor stays the caller's. Returns whether the pages are the file's.
bool open(int descriptor, std::size_t count);
// Puts fresh private memory under every page: when the cores are given back, and in a forked child, whose parent they are.
void close() noexcept;

// Held over a fork, so that a child finds the tables unlocked.
void before_fork();
void after_fork();

inline void add(Counter& counter, std::int64_t amount) noexcept { counter.fetch_add(amount, std::memory_order_relaxed); }
inline void set(Counter& counter, std::int64_t value) noexcept { counter.store(value, std::memory_order_relaxed); }

inline std::int64_t now() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// One call of a model: how it ended and how long it took.
class Call {
 public:
  explicit Call(Page& page) noexcept : page_(page), exceptions_(std::uncaught_exceptions()), begin_(now()), end_(begin_) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call();

  // Since when it could be worked for: since it came, or since the stage before ended.
  std::int64_t ready() const noexcept { return end_; }
  // A core worked for it in this time; the last end is the call's own.
  void worked(std::int64_t begin, std::int64_t end) noexcept {
    device_ += end - begin;
    end_ = end;
  }

 private:
  Page& page_;
  const int exceptions_;
  const std::int64_t begin_;
  std::int64_t end_;
  std::int64_t device_ = 0;
};

// The text under a key of the JSON that our tracer wrote, or nothing; such texts hold no quotes.
std::string json_text(const std::string& json, const std::string& key);

// One number per replica, from 10001 on as on the real runtime.
std::int64_t next_model_id() noexcept;

// A loaded model in the table of one core, while alive. A full table leaves it out; the counts have it.
class Listing {
 public:
  Listing(Page& page, std::int64_t id, const std::string& metadata, std::size_t bytes, int subgraph, int first_core);
  Listing(Listing&& other) noexcept : page_(other.page_), slot_(other.slot_) { other.page_ = nullptr; }
  Listing(const Listing&) = delete;
  Listing& operator=(const Listing&) = delete;
  Listing& operator=(Listing&&) = delete;
  ~Listing();

 private:
  Page* page_;
  ModelSlot* slot_ = nullptr;
};

// "name offset size" of every field, one per line: what the test compares with page_layout.py.
std::string layout();

}  // namespace neuronspan::telemetry
