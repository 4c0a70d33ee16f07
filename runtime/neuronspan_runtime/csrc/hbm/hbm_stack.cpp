#include "hbm/hbm_stack.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

namespace neuronspan {

void HbmStack::open(char* device_base, char* host_base, const HbmShape& shape) {
  close();
  device_base_ = device_base;
  host_base_ = host_base;
  shape_ = shape;
  main_.give_back(shape.carve_out, small_begin() - shape.carve_out);
  if (shape.small_pool > 0) small_.give_back(small_begin(), shape.small_pool);
}

void HbmStack::close() {
  ledger_.reset();
  arenas.clear();
  taken_.clear();
  main_.clear();
  small_.clear();
  device_base_ = host_base_ = nullptr;
  shape_ = HbmShape{};
  taken_bytes_ = retained_ = 0;
}

std::optional<std::size_t> HbmStack::take(std::size_t size, Arena& owner, HbmUse use) {
  if (ledger_ && !ledger_->charge(size)) return std::nullopt;
  const bool is_small = size <= kHbmSmallRequest;
  std::optional<std::size_t> offset = (is_small ? small_ : main_).take(size);
  if (!offset) offset = (is_small ? main_ : small_).take(size);
  if (!offset) {
    if (ledger_) ledger_->uncharge(size);
    return std::nullopt;
  }
  note_taken(*offset, {size, &owner, use});
  taken_bytes_ += size;
  if (retained_ > 0 && use != HbmUse::tensors) drop_pages(*offset, size);  // weights live elsewhere on the host
  retained_ -= std::min(retained_, size);
  return offset;
}

void HbmStack::note_taken(std::size_t offset, const Block& block) {
  if (spare_.empty()) {
    taken_.emplace(offset, block);
    return;
  }
  spare_.key() = offset;
  spare_.mapped() = block;
  taken_.insert(std::move(spare_));
}

std::optional<HbmStack::Block> HbmStack::give_back(std::size_t offset) {
  const auto found = taken_.find(offset);
  if (found == taken_.end()) return std::nullopt;
  const Block block = found->second;
  spare_ = taken_.extract(found);
  taken_bytes_ -= block.size;
  if (ledger_) ledger_->uncharge(block.size);
  if (block.use == HbmUse::tensors) {
    if (block.size >= kDropBytes) {
      drop_pages(offset, block.size);
    } else {
      retained_ += block.size;
    }
  }
  pool_of(offset).give_back(offset, block.size);
  if (retained_ > kRetainedBytes) trim();
  return block;
}

Arena* HbmStack::owner_of(std::size_t offset) const {
  auto after = taken_.upper_bound(offset);
  if (after == taken_.begin()) return nullptr;
  const auto& [begin, block] = *std::prev(after);
  return offset < begin + block.size ? block.owner : nullptr;
}

void HbmStack::trim() {
  const auto drop = [this](std::size_t offset, std::size_t size) { drop_pages(offset, size); };
  main_.for_each(drop);
  small_.for_each(drop);
  retained_ = 0;
}

std::size_t HbmStack::free_bytes() const {
  const std::size_t free = shape_.usable() - taken_bytes_;
  return ledger_ ? free - std::min(free, ledger_->neighbour()) : free;
}

std::size_t HbmStack::largest_free() const { return std::min(free_bytes(), std::max(main_.largest(), small_.largest())); }

std::size_t HbmStack::offset_of(const void* device_address) const {
  return static_cast<std::size_t>(static_cast<const char*>(device_address) - device_base_);
}

void HbmStack::zero_by_dropping(void* device_address, std::size_t bytes) const {
  const std::size_t begin = offset_of(device_address);
  const std::size_t end = begin + bytes;
  const std::size_t first_page = (begin + kHbmPage - 1) / kHbmPage * kHbmPage;
  const std::size_t end_page = end / kHbmPage * kHbmPage;
  if (first_page >= end_page) {
    std::memset(host_base_ + begin, 0, bytes);
    return;
  }
  std::memset(host_base_ + begin, 0, first_page - begin);
  drop_pages(first_page, end_page - first_page);
  std::memset(host_base_ + end_page, 0, end - end_page);
}

void HbmStack::drop_pages(std::size_t offset, std::size_t bytes) const {
  // A private anonymous mapping reads as zero after MADV_DONTNEED; it cannot fail on a range that is mapped.
  madvise(host_base_ + offset, bytes, MADV_DONTNEED);
}

}  // namespace neuronspan
