#include "hbm/arena.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "check.h"
#include "hbm/oom_report.h"

namespace neuronspan {

namespace {

using Books = std::lock_guard<std::mutex>;

// A compiled model is many buffers, not one: it may lie in the gaps that a single tensor of its size does not fit into.
constexpr std::size_t kModelPiece = std::size_t(64) << 20;

std::atomic<Reclaimer> g_reclaimer{nullptr};

std::size_t round_up_to_page(std::size_t bytes) { return (bytes + kHbmPage - 1) / kHbmPage * kHbmPage; }

HbmCounters difference(const HbmCounters& now, const HbmCounters& then) {
  return {now.requests - then.requests,
          now.allocations - then.allocations,
          now.frees - then.frees,
          now.retries - then.retries,
          now.failures - then.failures,
          now.allocated_bytes - then.allocated_bytes,
          now.freed_bytes - then.freed_bytes};
}

}  // namespace

void set_reclaimer(Reclaimer reclaimer) { g_reclaimer.store(reclaimer); }

void Arena::open(HbmStack& stack, int index, int core, std::string name, std::size_t code_bytes) {
  const Books books(stack.books);
  stack_ = &stack;
  index_ = index;
  core_ = core;
  name_ = std::move(name);
  stats_ = HbmStats{};
  reset_at_ = HbmCounters{};
  code_bytes_ = code_bytes;
  code_offsets_.clear();
  charges_ = 0;
  stack.arenas.push_back(this);
  show();
}

void* Arena::allocate(std::size_t bytes) {
  const std::size_t size = round_up_to_page(bytes);
  {
    const Books books(stack_->books);
    ++stats_.counters.requests;
    if (size == 0) return nullptr;
    if (void* const address = try_allocate(size)) return address;
    ++stats_.counters.retries;
    stack_->trim();
  }
  if (const Reclaimer reclaimer = g_reclaimer.load()) reclaimer();
  {
    const Books books(stack_->books);
    if (void* const address = try_allocate(size)) return address;
  }
  refuse(size, HbmUse::tensors);
}

void* Arena::try_allocate(std::size_t size) {
  const auto offset = stack_->take(size, *this, HbmUse::tensors);
  if (!offset) return nullptr;
  note_taken(size, HbmUse::tensors);
  ++stats_.counters.allocations;
  ++stats_.live_blocks;
  return stack_->device_address(*offset);
}

void Arena::release(HbmStack& stack, void* address) noexcept {
  const Books books(stack.books);
  const auto block = stack.give_back(stack.offset_of(address));
  if (!block) return;
  block->owner->note_freed(*block);
  ++block->owner->stats_.counters.frees;
  --block->owner->stats_.live_blocks;
}

std::vector<std::size_t> Arena::charge(std::size_t bytes, HbmUse use) {
  const std::size_t size = round_up_to_page(bytes);
  std::vector<std::size_t> offsets;
  if (const auto missing = try_charge(size, use, offsets)) refuse(*missing == HbmUse::code ? code_bytes_ : size, *missing);
  return offsets;
}

std::optional<HbmUse> Arena::try_charge(std::size_t size, HbmUse use, std::vector<std::size_t>& offsets) {
  const Books books(stack_->books);
  const HbmStats before = stats_;
  const bool has_code = charges_ > 0 || take_pieces(code_bytes_, HbmUse::code, code_offsets_);
  if (has_code && take_pieces(size, use, offsets)) {
    ++charges_;
    return std::nullopt;
  }
  give_back(offsets);
  if (charges_ == 0) give_back(std::exchange(code_offsets_, {}));
  stats_ = before;
  show();
  return has_code ? use : HbmUse::code;
}

bool Arena::take_pieces(std::size_t size, HbmUse use, std::vector<std::size_t>& offsets) {
  for (std::size_t left = size; left > 0;) {
    const std::size_t piece = std::min(left, kModelPiece);
    const auto offset = stack_->take(piece, *this, use);
    if (!offset) return false;
    note_taken(piece, use);
    offsets.push_back(*offset);
    left -= piece;
  }
  return true;
}

void Arena::uncharge(const std::vector<std::size_t>& offsets) noexcept {
  const Books books(stack_->books);
  give_back(offsets);
  if (--charges_ == 0) give_back(std::exchange(code_offsets_, {}));
}

void Arena::give_back(const std::vector<std::size_t>& offsets) noexcept {
  for (const std::size_t offset : offsets)
    if (const auto block = stack_->give_back(offset)) note_freed(*block);
}

std::size_t& Arena::bytes_of(HbmUse use) noexcept {
  if (use == HbmUse::tensors) return stats_.tensors;
  return use == HbmUse::models ? stats_.models : stats_.code;
}

void Arena::note_taken(std::size_t size, HbmUse use) {
  bytes_of(use) += size;
  stats_.peak = std::max(stats_.peak, stats_.allocated());
  stats_.counters.allocated_bytes += size;
  show();
}

void Arena::note_freed(const HbmStack::Block& block) {
  bytes_of(block.use) -= block.size;
  stats_.counters.freed_bytes += block.size;
  show();
}

void Arena::refuse(std::size_t bytes, HbmUse use) {
  OomReport report{core_, bytes, use, name_, {}, {}};
  {
    const Books books(stack_->books);
    ++stats_.counters.failures;
    show();
    report.stats = stats_locked();
    for (const Arena* arena : stack_->arenas) {
      const HbmStats& theirs = arena->stats_;
      report.accounts.push_back({arena->core_, theirs.tensors, theirs.models, theirs.code});
    }
  }
  log_oom(report);
  TORCH_CHECK_WITH(OutOfMemoryError, false, oom_text(report));
}

void Arena::trim() {
  const Books books(stack_->books);
  stack_->trim();
}

HbmStats Arena::stats() const {
  const Books books(stack_->books);
  return stats_locked();
}

HbmStats Arena::stats_locked() const {
  HbmStats stats = stats_;
  stats.capacity = stack_->shape().usable();
  stats.free = stack_->free_bytes();
  stats.largest_free = stack_->largest_free();
  stats.recent = difference(stats_.counters, reset_at_);
  return stats;
}

void Arena::reset_peak() {
  const Books books(stack_->books);
  stats_.peak = stats_.allocated();
  show();
}

void Arena::show() const noexcept {
  const auto show_on = [](telemetry::Counter& counter, std::size_t number) { telemetry::set(counter, static_cast<std::int64_t>(number)); };
  show_on(page_.tensor_bytes, stats_.tensors);
  show_on(page_.model_bytes, stats_.models);
  show_on(page_.code_bytes, stats_.code);
  show_on(page_.peak_bytes, stats_.peak);
  show_on(page_.capacity_bytes, stack_->shape().usable());
  show_on(page_.allocation_failures, stats_.counters.failures);
}

void Arena::reset_counters() {
  const Books books(stack_->books);
  reset_at_ = stats_.counters;
}

}  // namespace neuronspan
