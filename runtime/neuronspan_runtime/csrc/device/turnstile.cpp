#include "device/turnstile.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <limits>
#include <thread>

namespace neuronspan {

namespace {

// About as long as putting a thread to sleep and waking it takes: a small model in front of us ends sooner.
constexpr int kSpins = 400;

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// A sleeper is woken through the bit of its ticket: the others sleep on. A shared bit only means one more look.
std::uint32_t bit_of(std::uint32_t ticket) { return std::uint32_t(1) << (ticket % 32); }

std::uint32_t* word_of(std::atomic<std::uint32_t>& value) {
  static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t) && std::atomic<std::uint32_t>::is_always_lock_free,
                "the kernel waits on the number itself");
  return reinterpret_cast<std::uint32_t*>(&value);
}

}  // namespace

void Turnstile::wait_for(std::uint32_t ticket) noexcept {
  static const bool may_spin = std::thread::hardware_concurrency() > 1;
  if (may_spin && ticket - serving_.load(std::memory_order_relaxed) == 1) {
    for (int spin = 0; spin < kSpins; ++spin) {
      pause_briefly();
      if (serving_.load(std::memory_order_acquire) == ticket) return;
    }
  }
  sleeping_.fetch_add(1, std::memory_order_seq_cst);
  for (std::uint32_t seen = serving_.load(std::memory_order_seq_cst); seen != ticket; seen = serving_.load(std::memory_order_seq_cst)) {
    // returns at once when `serving_` is no longer what was seen; other early returns are harmless
    syscall(SYS_futex, word_of(serving_), FUTEX_WAIT_BITSET_PRIVATE, seen, nullptr, nullptr, bit_of(ticket));
  }
  sleeping_.fetch_sub(1, std::memory_order_relaxed);
}

void Turnstile::wake(std::uint32_t ticket) noexcept {
  syscall(SYS_futex, word_of(serving_), FUTEX_WAKE_BITSET_PRIVATE, std::numeric_limits<int>::max(), nullptr, nullptr, bit_of(ticket));
}

}  // namespace neuronspan
