// The turn on one NeuronCore: whoever came first goes first, and nobody else passes meanwhile.
// Law: every `enter` is followed by one `leave` of the same turn. Free, it costs two atomic operations and no system call.
#pragma once

#include <atomic>
#include <cstdint>

namespace neuronspan {

class Turnstile {
 public:
  // Returns when everybody who came earlier has left; true when somebody had to be waited for.
  bool enter() noexcept {
    const std::uint32_t ticket = next_.fetch_add(1, std::memory_order_relaxed);
    if (serving_.load(std::memory_order_acquire) == ticket) return false;
    wait_for(ticket);
    return true;
  }

  void leave() noexcept {
    // only the one whose turn it is writes `serving_`; the order of this store and the load below keeps wake-ups from being lost
    const std::uint32_t following = serving_.load(std::memory_order_relaxed) + 1;
    serving_.store(following, std::memory_order_seq_cst);
    if (sleeping_.load(std::memory_order_seq_cst) > 0) wake(following);
  }

 private:
  void wait_for(std::uint32_t ticket) noexcept;
  void wake(std::uint32_t ticket) noexcept;

  std::atomic<std::uint32_t> next_{0};     // the ticket of whoever comes next
  std::atomic<std::uint32_t> serving_{0};  // the ticket whose turn it is
  std::atomic<std::int32_t> sleeping_{0};  // threads in the kernel, or on their way there
};

}  // namespace neuronspan
