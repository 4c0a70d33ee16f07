#include "interfaces/pinned.h"

#include <c10/core/CPUAllocator.h>
#include <pthread.h>

#include <cstring>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <utility>

namespace neuronspan {

namespace {

struct PinnedBlocks {
  std::mutex mutex;
  std::unordered_set<const void*> addresses;
};

// Never destroyed: Python may free tensors after this library's static destructors would have run.
PinnedBlocks& pinned_blocks() {
  static PinnedBlocks* const blocks = [] {
    auto* const made = std::make_unique<PinnedBlocks>().release();
    // a DataLoader forks its workers while a thread of its own may be pinning
    pthread_atfork([] { pinned_blocks().mutex.lock(); }, [] { pinned_blocks().mutex.unlock(); }, [] { pinned_blocks().mutex.unlock(); });
    return made;
  }();
  return *blocks;
}

void release_pinned(void* context) {
  const std::unique_ptr<c10::DataPtr> memory(static_cast<c10::DataPtr*>(context));
  PinnedBlocks& blocks = pinned_blocks();
  const std::lock_guard<std::mutex> lock(blocks.mutex);
  blocks.addresses.erase(memory->get());
}

class PinnedAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    auto memory = std::make_unique<c10::DataPtr>(c10::GetCPUAllocator()->allocate(bytes));
    void* const address = memory->get();
    {
      PinnedBlocks& blocks = pinned_blocks();
      const std::lock_guard<std::mutex> lock(blocks.mutex);
      blocks.addresses.insert(address);
    }
    return {address, memory.release(), &release_pinned, c10::Device(c10::kCPU)};
  }

  void copy_data(void* destination, const void* source, std::size_t bytes) const override {
    if (bytes > 0) std::memcpy(destination, source, bytes);
  }
};

PinnedAllocator g_pinned_allocator;

}  // namespace

c10::Allocator& pinned_allocator() { return g_pinned_allocator; }

bool is_pinned(const void* address) noexcept {
  PinnedBlocks& blocks = pinned_blocks();
  const std::lock_guard<std::mutex> lock(blocks.mutex);
  return address != nullptr && blocks.addresses.count(address) > 0;
}

}  // namespace neuronspan
