// How long executions and copies last when they are to last what a NeuronCore needs (NEURONSPAN_TIME=device).
// Law: off, it costs one relaxed load for a call or a copy. Waiting takes no CPU and no lock but the turn on the core; what
// the CPU needed counts, so only the rest is waited for.
#pragma once

#include <cstddef>
#include <cstdint>

namespace neuronspan::pace {

// Whether executions last what their model is told to, and how many nanoseconds a byte takes from the host to a core and
// back; 0 = no time.
void set(bool enabled, double to_device, double to_host);
bool enabled() noexcept;

// Sleeps until then on the monotonic clock; returns at once when it is past.
void wait_until(std::int64_t nanoseconds) noexcept;

// Says once for each process, on standard error, that the CPU needed longer for an execution than it is to last.
void report_slow(std::int64_t needed, std::int64_t lasts);

enum class Direction { to_device, to_host };

// A copy between host and core: it ends no earlier than the link takes for its bytes.
class Copy {
 public:
  Copy(std::size_t bytes, Direction direction) noexcept;
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;
  ~Copy() {
    if (until_ != 0) wait_until(until_);
  }

 private:
  std::int64_t until_;
};

}  // namespace neuronspan::pace
