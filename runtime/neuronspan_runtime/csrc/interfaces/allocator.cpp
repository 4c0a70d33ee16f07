#include "interfaces/allocator.h"

#include <c10/core/CachingDeviceAllocator.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "check.h"

namespace neuronspan {

namespace {

#if NEURONSPAN_TORCH_AT_LEAST(2, 9)
using AllocatorInterface = c10::DeviceAllocator;  // torch.accelerator.memory_* ask this one
#else
using AllocatorInterface = c10::Allocator;
#endif

class NeuronAllocator final : public AllocatorInterface {
 public:
  c10::DataPtr allocate(std::size_t bytes) override { return allocate_on(current_device(), bytes); }

  c10::DeleterFnPtr raw_deleter() const override { return &release_block; }

  void copy_data(void* destination, const void* source, std::size_t bytes) const override {
    if (bytes == 0) return;
    const auto accessible = [](void* address) {
      return is_device_address(address) ? host_address(address, core_of_address(address)) : address;
    };
    std::memcpy(accessible(destination), accessible(const_cast<void*>(source)), bytes);
  }

#if NEURONSPAN_TORCH_AT_LEAST(2, 9)
  bool initialized() override { return is_initialized(); }

  void emptyCache(c10::MempoolId_t /*pool*/ = {0, 0}) override {
    if (!is_initialized()) return;
    for (int index = 0; index < device_count(); ++index) core(static_cast<c10::DeviceIndex>(index)).arena.trim();
  }

  void recordStream(const c10::DataPtr& /*pointer*/, c10::Stream /*stream*/) override {}  // all work is synchronous

  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex index) override {
    const HbmStats hbm = core(index).arena.stats();
    c10::CachingDeviceAllocator::DeviceStats stats;
    for (auto* bytes : {&stats.allocated_bytes, &stats.active_bytes}) {
      (*bytes)[0].current = static_cast<std::int64_t>(hbm.allocated());
      (*bytes)[0].peak = static_cast<std::int64_t>(hbm.peak);
      (*bytes)[0].allocated = static_cast<std::int64_t>(hbm.recent.allocated_bytes);
      (*bytes)[0].freed = static_cast<std::int64_t>(hbm.recent.freed_bytes);
    }
    stats.num_alloc_retries = static_cast<std::int64_t>(hbm.recent.retries);
    stats.num_ooms = static_cast<std::int64_t>(hbm.recent.failures);
    return stats;
  }

  void resetAccumulatedStats(c10::DeviceIndex index) override { core(index).arena.reset_counters(); }

  void resetPeakStats(c10::DeviceIndex index) override { core(index).arena.reset_peak(); }

  std::pair<std::size_t, std::size_t> getMemoryInfo(c10::DeviceIndex index)
#if NEURONSPAN_TORCH_AT_LEAST(2, 10)
      override
#endif
  {
    const HbmStats hbm = core(index).arena.stats();
    return {hbm.free, hbm.capacity};
  }
#endif
};

NeuronAllocator g_allocator;
REGISTER_ALLOCATOR(kNeuron, &g_allocator);

}  // namespace

c10::Allocator& allocator() { return g_allocator; }

c10::DataPtr allocate_on(c10::DeviceIndex index, std::size_t bytes) {
  const c10::Device device(kNeuron, index);
  void* const address = core(index).arena.allocate(bytes);
  // raw_deleter's contract: the context is the pointer itself
  return {address, address, &release_block, device};
}

void resize_storage(c10::StorageImpl& storage, std::size_t bytes) {
  c10::DataPtr grown = allocate_on(storage.device().index(), bytes);
  const std::size_t kept = std::min(bytes, storage.nbytes());
  if (kept > 0) allocator().copy_data(grown.get(), storage.data(), kept);
  storage.set_data_ptr_noswap(std::move(grown));
  storage.set_nbytes(bytes);
}

}  // namespace neuronspan
