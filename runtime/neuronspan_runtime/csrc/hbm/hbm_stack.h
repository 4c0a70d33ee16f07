// One stack of HBM: which of its addresses are taken, by which core, and which host pages stand behind them.
// Law: every page is in exactly one of {carve-out, free, taken}; what is taken belongs to one arena.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "hbm/extents.h"
#include "hbm/hbm_ledger.h"

namespace neuronspan {

class Arena;

// The driver rounds every request up to the page.
constexpr std::size_t kHbmPage = 4096;
// Requests up to this size are served from the small pool first.
constexpr std::size_t kHbmSmallRequest = std::size_t(512) << 10;

// Addresses of a stack: [0, carve_out) is the driver's own, the last `small_pool` bytes are the small pool.
struct HbmShape {
  std::size_t bytes = 0;
  std::size_t carve_out = 0;
  std::size_t small_pool = 0;
  std::size_t usable() const { return bytes - carve_out; }
};

// What the bytes of a core are used for; the out-of-memory text and the tools report them apart.
// `code` is what a core needs to run models at all.
enum class HbmUse { tensors, models, code };

// Its methods expect `books` to be held, those with an address of a living block excepted.
class HbmStack {
 public:
  // Blocks from this size on give their host pages back as soon as they are freed (and are zeroed by dropping them):
  // below it, keeping the pages is several times faster than faulting them in again.
  static constexpr std::size_t kDropBytes = std::size_t(64) << 20;
  // Host pages kept for reuse by smaller freed blocks, per stack.
  static constexpr std::size_t kRetainedBytes = std::size_t(256) << 20;

  struct Block {
    std::size_t size;
    Arena* owner;
    HbmUse use;
  };

  // `device_base` is the address tensors see (no access), `host_base` the same bytes with access.
  void open(char* device_base, char* host_base, const HbmShape& shape);
  void share(std::unique_ptr<HbmLedger> ledger) { ledger_ = std::move(ledger); }
  void close();

  // `size` is whole pages.
  std::optional<std::size_t> take(std::size_t size, Arena& owner, HbmUse use);
  // The block that began there, or nothing for an address that begins none.
  std::optional<Block> give_back(std::size_t offset);
  // The core that an address belongs to, also one inside a block; null when it is in no block.
  Arena* owner_of(std::size_t offset) const;
  void trim();

  std::size_t free_bytes() const;
  std::size_t largest_free() const;
  const HbmShape& shape() const { return shape_; }

  void* device_address(std::size_t offset) const { return device_base_ + offset; }
  std::size_t offset_of(const void* device_address) const;
  // Makes `bytes` at the device address read as zero by giving whole pages back to the host kernel.
  void zero_by_dropping(void* device_address, std::size_t bytes) const;

  // The arenas of the cores that share this stack; books are kept for all of them under one lock.
  std::vector<Arena*> arenas;
  std::mutex books;

 private:
  void note_taken(std::size_t offset, const Block& block);
  FreeExtents& pool_of(std::size_t offset) { return offset < small_begin() ? main_ : small_; }
  std::size_t small_begin() const { return shape_.bytes - shape_.small_pool; }
  void drop_pages(std::size_t offset, std::size_t bytes) const;

  char* device_base_ = nullptr;
  char* host_base_ = nullptr;
  HbmShape shape_;
  FreeExtents main_;
  FreeExtents small_;
  std::map<std::size_t, Block> taken_;  // by offset
  decltype(taken_)::node_type spare_;   // of the block freed last: most allocations follow a free, and need no memory then
  std::size_t taken_bytes_ = 0;
  std::size_t retained_ = 0;  // upper bound of resident bytes in free blocks
  std::unique_ptr<HbmLedger> ledger_;  // only when another process may own a core of this stack
};

}  // namespace neuronspan
