// One NeuronCore's account in its HBM stack: what is charged to it, and every number that is told about it.
// Law: the bytes of an account are the sizes of the blocks that it has in the stack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hbm/hbm_stack.h"
#include "reporting/telemetry.h"

namespace neuronspan {

// What only grows, until it is reset.
struct HbmCounters {
  std::size_t requests = 0;  // for tensors, of zero bytes and refused ones too
  std::size_t allocations = 0;
  std::size_t frees = 0;
  std::size_t retries = 0;
  std::size_t failures = 0;
  std::size_t allocated_bytes = 0;
  std::size_t freed_bytes = 0;
};

struct HbmStats {
  std::size_t tensors = 0;
  std::size_t models = 0;
  std::size_t code = 0;
  std::size_t peak = 0;
  std::size_t capacity = 0;  // of the stack, which a neighbour may share
  std::size_t free = 0;      // in the stack, in pieces of at most `largest_free`
  std::size_t largest_free = 0;
  std::size_t live_blocks = 0;
  HbmCounters counters;  // since the start
  HbmCounters recent;    // since the last reset
  std::size_t allocated() const { return tensors + models + code; }
};

// Called, without any lock held, before an allocation is tried for the second time: frees what is no longer needed.
using Reclaimer = void (*)();
void set_reclaimer(Reclaimer reclaimer);

class Arena {
 public:
  // What it counts is shown on this page, too.
  explicit Arena(telemetry::Page& page) : page_(page) {}

  // `index` counts the cores of the process, `core` those of the node; `name` is for messages. `code_bytes` are charged
  // with the first model on the core and returned with the last one.
  void open(HbmStack& stack, int index, int core, std::string name, std::size_t code_bytes);

  // Returns the device address of a fresh block, null for zero bytes. A request that does not fit is tried once more
  // after what is kept was given up. Throws c10::OutOfMemoryError.
  void* allocate(std::size_t bytes);
  // Frees the block of whichever core it is.
  static void release(HbmStack& stack, void* address) noexcept;

  // Charges a loaded model's bytes, which live elsewhere in host memory, in pieces as a compiled model's are. Returns
  // where; all or nothing. Throws c10::OutOfMemoryError. Each charge, also one of no bytes, is uncharged once.
  std::vector<std::size_t> charge(std::size_t bytes, HbmUse use);
  void uncharge(const std::vector<std::size_t>& offsets) noexcept;

  // Makes `bytes` at the device address read as zero by giving whole pages back to the host kernel.
  void zero_by_dropping(void* address, std::size_t bytes) const { stack_->zero_by_dropping(address, bytes); }
  // Gives the host pages behind all free blocks of the stack back.
  void trim();

  HbmStats stats() const;
  // Let the peak, or the counters that are told as recent, begin anew.
  void reset_peak();
  void reset_counters();

  int index() const { return index_; }
  int core() const { return core_; }

 private:
  void* try_allocate(std::size_t size);
  // What did not fit, if anything.
  std::optional<HbmUse> try_charge(std::size_t size, HbmUse use, std::vector<std::size_t>& offsets);
  bool take_pieces(std::size_t size, HbmUse use, std::vector<std::size_t>& offsets);
  void give_back(const std::vector<std::size_t>& offsets) noexcept;
  std::size_t& bytes_of(HbmUse use) noexcept;
  void note_taken(std::size_t size, HbmUse use);
  void note_freed(const HbmStack::Block& block);
  HbmStats stats_locked() const;
  void show() const noexcept;
  [[noreturn]] void refuse(std::size_t bytes, HbmUse use);

  telemetry::Page& page_;
  HbmStack* stack_ = nullptr;
  int index_ = 0;
  int core_ = 0;
  std::string name_;
  // guarded by the stack's books
  HbmStats stats_;
  HbmCounters reset_at_;
  std::size_t code_bytes_ = 0;
  std::vector<std::size_t> code_offsets_;
  int charges_ = 0;  // of loaded models
};

// RAII of Arena::charge.
class HbmCharge {
 public:
  HbmCharge(Arena& arena, std::size_t bytes, HbmUse use) : arena_(&arena), offsets_(arena.charge(bytes, use)) {}
  HbmCharge(HbmCharge&& other) noexcept : arena_(std::exchange(other.arena_, nullptr)), offsets_(std::move(other.offsets_)) {}
  HbmCharge(const HbmCharge&) = delete;
  HbmCharge& operator=(const HbmCharge&) = delete;
  HbmCharge& operator=(HbmCharge&&) = delete;
  ~HbmCharge() {
    if (arena_ != nullptr) arena_->uncharge(offsets_);
  }

 private:
  Arena* arena_;
  std::vector<std::size_t> offsets_;
};

}  // namespace neuronspan
