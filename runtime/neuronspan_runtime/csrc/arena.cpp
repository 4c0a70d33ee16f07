#include "arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iterator>

#include "check.h"

namespace neuronspan {

namespace {

std::size_t round_up_to_page(std::size_t bytes) { return (bytes + Arena::kPage - 1) / Arena::kPage * Arena::kPage; }

}  // namespace

std::string readable_bytes(std::size_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.2f %s", value, kUnits[unit]);
  return text;
}

void Arena::open(char* device_base, char* host_base, std::size_t window, std::size_t capacity, std::string name) {
  std::lock_guard<std::mutex> lock(mutex_);
  device_base_ = device_base;
  host_base_ = host_base;
  name_ = std::move(name);
  stats_ = HbmStats{};
  stats_.capacity = capacity;
  retained_ = 0;
  free_by_size_.clear();
  blocks_.clear();
  insert_free(blocks_.emplace(0, Block{window, true}).first);
  show_locked();
}

void Arena::close() {
  std::lock_guard<std::mutex> lock(mutex_);
  blocks_.clear();
  free_by_size_.clear();
  device_base_ = host_base_ = nullptr;
}

void* Arena::allocate(std::size_t bytes) {
  const std::size_t size = round_up_to_page(bytes);
  std::lock_guard<std::mutex> lock(mutex_);
  charge_locked(size, HbmUse::tensors);
  const auto found = free_by_size_.lower_bound({size, 0});
  if (found == free_by_size_.end()) {
    stats_.tensors -= size;
    ++stats_.failures;
    show_locked();
    TORCH_CHECK_WITH(OutOfMemoryError, false, "nrt_tensor_allocate status=4 message=\"Allocation Failure\": ", name_,
                     " has no free run of ", size, " bytes left: its memory is fragmented. Free some tensors first");
  }
  const auto block = blocks_.find(found->second);
  erase_free(block);
  if (block->second.size > size) {
    const auto rest = blocks_.emplace_hint(std::next(block), block->first + size, Block{block->second.size - size, true});
    insert_free(rest);
    block->second.size = size;
  }
  block->second.free = false;
  retained_ -= std::min(retained_, size);
  ++stats_.allocations;
  ++stats_.live_blocks;
  return device_base_ + block->first;
}

void Arena::release(void* address) noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  auto block = blocks_.find(static_cast<std::size_t>(static_cast<char*>(address) - device_base_));
  if (block == blocks_.end() || block->second.free) return;
  const std::size_t size = block->second.size;
  stats_.tensors -= size;
  ++stats_.frees;
  --stats_.live_blocks;
  show_locked();
  if (size >= kDropBytes) {
    drop_pages(block->first, size);
  } else {
    retained_ += size;
  }
  block->second.free = true;
  if (const auto next = std::next(block); next != blocks_.end() && next->second.free) {
    erase_free(next);
    block->second.size += next->second.size;
    blocks_.erase(next);
  }
  if (block != blocks_.begin() && std::prev(block)->second.free) {
    const auto previous = std::prev(block);
    erase_free(previous);
    previous->second.size += block->second.size;
    blocks_.erase(block);
    block = previous;
  }
  insert_free(block);
  if (retained_ > kRetainedBytes) trim_locked();
}

void Arena::charge(std::size_t bytes, HbmUse use) {
  std::lock_guard<std::mutex> lock(mutex_);
  charge_locked(round_up_to_page(bytes), use);
}

void Arena::uncharge(std::size_t bytes, HbmUse use) noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  (use == HbmUse::models ? stats_.models : stats_.tensors) -= round_up_to_page(bytes);
  show_locked();
}

void Arena::charge_locked(std::size_t bytes, HbmUse use) {
  const std::size_t free = stats_.capacity - stats_.allocated();
  if (bytes > free) {
    ++stats_.failures;
    show_locked();
    // The first words are what code written for the real runtime looks for; the numbers and the way out are ours.
    TORCH_CHECK_WITH(OutOfMemoryError, false,
                     use == HbmUse::models ? "Could not load the model status=4 message=Allocation Failure"
                                           : "nrt_tensor_allocate status=4 message=\"Allocation Failure\"",
                     ": failed to allocate ", readable_bytes(bytes), " (", bytes, " bytes) on ", name_, ": ",
                     readable_bytes(stats_.capacity), " in total, ", readable_bytes(stats_.tensors), " in tensors, ",
                     readable_bytes(stats_.models), " in loaded models, ", readable_bytes(free),
                     " free. Free tensors or models on this NeuronCore, or use another one");
  }
  (use == HbmUse::models ? stats_.models : stats_.tensors) += bytes;
  stats_.peak = std::max(stats_.peak, stats_.allocated());
  show_locked();
}

void Arena::show_locked() noexcept {
  const auto show = [](telemetry::Counter& counter, std::size_t number) { telemetry::set(counter, static_cast<std::int64_t>(number)); };
  show(page_.tensor_bytes, stats_.tensors);
  show(page_.model_bytes, stats_.models);
  show(page_.peak_bytes, stats_.peak);
  show(page_.capacity_bytes, stats_.capacity);
  show(page_.allocation_failures, stats_.failures);
}

void Arena::zero_by_dropping(void* address, std::size_t bytes) {
  char* const host = host_base_ + (static_cast<char*>(address) - device_base_);
  char* const first_page = host_base_ + round_up_to_page(static_cast<std::size_t>(host - host_base_));
  char* const end = host + bytes;
  char* const end_page = host_base_ + static_cast<std::size_t>(end - host_base_) / kPage * kPage;
  if (first_page >= end_page) {
    std::memset(host, 0, bytes);
    return;
  }
  std::memset(host, 0, static_cast<std::size_t>(first_page - host));
  drop_pages(static_cast<std::size_t>(first_page - host_base_), static_cast<std::size_t>(end_page - first_page));
  std::memset(end_page, 0, static_cast<std::size_t>(end - end_page));
}

void Arena::trim() {
  std::lock_guard<std::mutex> lock(mutex_);
  trim_locked();
}

HbmStats Arena::stats() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return stats_;
}

void Arena::reset_peak() {
  std::lock_guard<std::mutex> lock(mutex_);
  stats_.peak = stats_.allocated();
  show_locked();
}

void Arena::trim_locked() {
  for (const auto& [size, offset] : free_by_size_) drop_pages(offset, size);
  retained_ = 0;
}

void Arena::insert_free(Blocks::iterator block) { free_by_size_.emplace(block->second.size, block->first); }

void Arena::erase_free(Blocks::iterator block) { free_by_size_.erase({block->second.size, block->first}); }

void Arena::drop_pages(std::size_t offset, std::size_t bytes) const {
  // A private anonymous mapping reads as zero after MADV_DONTNEED; it cannot fail on a range that is mapped.
  madvise(host_base_ + offset, bytes, MADV_DONTNEED);
}

}  // namespace neuronspan
