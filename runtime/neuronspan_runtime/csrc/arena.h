// One NeuronCore's HBM: what is charged to it, and which addresses of its window are free.
// Law: charged bytes never exceed the capacity, and every block is in exactly one of {live, free}.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "telemetry.h"

namespace neuronspan {

// What the bytes of a core are used for; the out-of-memory text and the tools report them apart.
enum class HbmUse { tensors, models };

struct HbmStats {
  std::size_t tensors = 0;
  std::size_t models = 0;
  std::size_t peak = 0;
  std::size_t capacity = 0;
  std::size_t allocations = 0;
  std::size_t frees = 0;
  std::size_t failures = 0;
  std::size_t live_blocks = 0;
  std::size_t allocated() const { return tensors + models; }
};

// "1.50 GiB", for messages.
std::string readable_bytes(std::size_t bytes);

class Arena {
 public:
  // The driver rounds every request up to the page.
  static constexpr std::size_t kPage = 4096;
  // Blocks from this size on give their host pages back as soon as they are freed (and are zeroed by dropping them):
  // below it, keeping the pages is several times faster than faulting them in again.
  static constexpr std::size_t kDropBytes = std::size_t(64) << 20;
  // Host pages kept for reuse by smaller freed blocks, per core.
  static constexpr std::size_t kRetainedBytes = std::size_t(256) << 20;

  // What it counts is shown on this page, too.
  explicit Arena(telemetry::Page& page) : page_(page) {}

  // `device_base` is the address tensors see (no access), `host_base` the same bytes with access. `name` is for messages.
  void open(char* device_base, char* host_base, std::size_t window, std::size_t capacity, std::string name);
  void close();

  // Returns the device address of a fresh block. Throws c10::OutOfMemoryError.
  void* allocate(std::size_t bytes);
  void release(void* address) noexcept;

  // Charges bytes that live elsewhere in host memory (weights of a loaded model). Throws c10::OutOfMemoryError.
  void charge(std::size_t bytes, HbmUse use);
  void uncharge(std::size_t bytes, HbmUse use) noexcept;

  // Makes `bytes` at the device address read as zero by giving whole pages back to the host kernel.
  void zero_by_dropping(void* address, std::size_t bytes);
  // Gives the pages of all free blocks back.
  void trim();

  HbmStats stats() const;
  void reset_peak();

  // Held over a fork, so that a child finds the books complete and unlocked.
  void before_fork() { mutex_.lock(); }
  void after_fork() { mutex_.unlock(); }

 private:
  struct Block {
    std::size_t size;
    bool free;
  };
  using Blocks = std::map<std::size_t, Block>;  // by offset; neighbours touch

  void charge_locked(std::size_t bytes, HbmUse use);
  void show_locked() noexcept;
  void trim_locked();
  void insert_free(Blocks::iterator block);
  void erase_free(Blocks::iterator block);
  void drop_pages(std::size_t offset, std::size_t bytes) const;

  telemetry::Page& page_;
  mutable std::mutex mutex_;
  char* device_base_ = nullptr;
  char* host_base_ = nullptr;
  std::string name_;
  Blocks blocks_;
  std::set<std::pair<std::size_t, std::size_t>> free_by_size_;  // (size, offset): best fit, lowest address first
  std::size_t retained_ = 0;                                    // upper bound of resident bytes in free blocks
  HbmStats stats_;
};

// RAII of Arena::charge.
class HbmCharge {
 public:
  HbmCharge(Arena& arena, std::size_t bytes, HbmUse use) : arena_(&arena), bytes_(bytes), use_(use) {
    arena.charge(bytes, use);
  }
  HbmCharge(HbmCharge&& other) noexcept : arena_(std::exchange(other.arena_, nullptr)), bytes_(other.bytes_), use_(other.use_) {}
  HbmCharge(const HbmCharge&) = delete;
  HbmCharge& operator=(const HbmCharge&) = delete;
  HbmCharge& operator=(HbmCharge&&) = delete;
  ~HbmCharge() {
    if (arena_ != nullptr) arena_->uncharge(bytes_, use_);
  }

 private:
  Arena* arena_;
  std::size_t bytes_;
  HbmUse use_;
};

}  // namespace neuronspan
