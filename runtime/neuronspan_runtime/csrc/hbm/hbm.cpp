#include "hbm/hbm.h"

#include <sys/mman.h>

#include <memory>
#include <mutex>

#include "check.h"
#include "hbm/oom_report.h"

namespace neuronspan {

namespace {

constexpr std::int64_t kMebibyte = std::int64_t(1) << 20;
// Inf1 has 2 GiB per core and neither carve-out nor small pool; every later generation has both, and at least 16 GiB.
constexpr std::int64_t kFirstGenerationLimit = 4096 * kMebibyte;
// Of every physical core, as AWS's page on device memory says; it describes the later generations.
constexpr std::int64_t kMicrocode = 96 * kMebibyte;

bool is_first_generation(const HbmLayout& layout) { return layout.bytes_per_core < kFirstGenerationLimit; }

HbmShape shape_of(std::int64_t bytes, const HbmLayout& layout) {
  const bool first_generation = is_first_generation(layout);
  const std::int64_t carve_out = layout.carve_out >= 0 ? layout.carve_out : (first_generation ? 0 : 16 * kMebibyte);
  const std::int64_t small_pool = layout.small_pool >= 0 ? layout.small_pool : (first_generation ? 0 : 1024 * kMebibyte);
  TORCH_CHECK(bytes - carve_out - small_pool >= static_cast<std::int64_t>(kHbmPage),
              "HBM must be more than the carve-out of ", carve_out, " bytes, got ", bytes, " with a small pool of ", small_pool,
              " bytes");
  const auto pages = [](std::int64_t number) { return static_cast<std::size_t>(number) / kHbmPage * kHbmPage; };
  return {pages(bytes), pages(carve_out), pages(small_pool)};
}

char* reserve_window(std::size_t bytes, int protection) {
  void* const address = mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  NEURONSPAN_CHECK_SYSTEM(address != MAP_FAILED, "cannot reserve ", readable_bytes(bytes),
                          " of address space for the NeuronCores' HBM (no memory is used yet): lift `ulimit -v` and "
                          "use vm.overcommit_memory 0 or 1, or own fewer cores with NEURON_RT_NUM_CORES");
  return static_cast<char*>(address);
}

}  // namespace

void Hbm::reserve(int cores, const HbmLayout& layout) {
  TORCH_CHECK(layout.cores_per_stack == 1 || layout.cores_per_stack == 2, "1 or 2 NeuronCores share an HBM, got ",
              layout.cores_per_stack);
  TORCH_CHECK(layout.cores_per_device >= 1 && layout.first_core >= 0, "NeuronCore ", layout.first_core, " with ",
              layout.cores_per_device, " cores per device is not on any node");
  cores_per_stack_ = static_cast<int>(layout.cores_per_stack);
  offset_in_stack_ = static_cast<int>(layout.first_core % layout.cores_per_stack);
  per_stack_ = shape_of(layout.bytes_per_core * layout.cores_per_stack, layout).bytes;
  count_ = stack_of(cores - 1) + 1;
  total_ = per_stack_ * static_cast<std::size_t>(count_);
  try {
    device_ = reserve_window(total_, PROT_NONE);
    host_ = reserve_window(total_, PROT_READ | PROT_WRITE);
    madvise(host_, total_, MADV_DONTFORK);  // device memory is not the child's, and forking stays cheap
    for (int stack = 0; stack < count_; ++stack) open_stack(stack, cores, layout);
  } catch (...) {
    close();
    throw;
  }
  set_oom_logging({static_cast<int>(layout.cores_per_device), cores_per_stack_, static_cast<int>(layout.logical_core_size),
                   layout.log_exhaustion});
}

void Hbm::open_stack(int stack, int cores, const HbmLayout& layout) {
  const std::size_t begin = per_stack_ * static_cast<std::size_t>(stack);
  const int before = stack == 0 ? offset_in_stack_ : 0;  // cores of the stack in front of ours, and behind them
  const int behind = stack + 1 == count_ ? count_ * cores_per_stack_ - offset_in_stack_ - cores : 0;
  const bool whole = before == 0 && behind == 0;
  const std::int64_t cores_used = whole || !layout.ledgers.empty() ? layout.cores_per_stack : 1;
  const HbmShape shape = shape_of(layout.bytes_per_core * cores_used, layout);
  stacks_[stack].open(device_ + begin, host_ + begin, shape);
  if (whole || layout.ledgers.empty()) return;
  const std::string number = std::to_string(layout.first_core / layout.cores_per_stack + stack);
  stacks_[stack].share(std::make_unique<HbmLedger>(layout.ledgers + "/" + number + ".ledger", before > 0 ? 1 : 0, shape.usable()));
}

std::size_t Hbm::code_bytes(const HbmLayout& layout) {
  return is_first_generation(layout) ? 0 : static_cast<std::size_t>(kMicrocode * layout.logical_core_size);
}

void Hbm::close() {
  for (int stack = 0; stack < count_; ++stack) {
    const std::lock_guard<std::mutex> books(stacks_[stack].books);
    stacks_[stack].close();
  }
  if (device_ != nullptr) munmap(device_, total_);
  if (host_ != nullptr) munmap(host_, total_);
  device_ = host_ = nullptr;
  per_stack_ = total_ = 0;
  count_ = 0;
}

HbmStack* Hbm::stack_at(const void* device_address) noexcept {
  const auto offset = static_cast<std::size_t>(static_cast<const char*>(device_address) - device_);
  if (device_ == nullptr || offset >= total_) return nullptr;
  return &stacks_[offset / per_stack_];
}

const Arena* Hbm::arena_at(const void* device_address) noexcept {
  HbmStack* const stack = stack_at(device_address);
  if (stack == nullptr) return nullptr;
  const std::lock_guard<std::mutex> books(stack->books);
  return stack->arenas.size() == 1 ? stack->arenas.front() : stack->owner_of(stack->offset_of(device_address));
}

void Hbm::before_fork() {
  for (int stack = 0; stack < count_; ++stack) stacks_[stack].books.lock();
}

void Hbm::after_fork() {
  for (int stack = 0; stack < count_; ++stack) stacks_[stack].books.unlock();
}

void Hbm::after_fork_in_child() {
  // what a child frees of its parent's is no longer charged to anybody it could tell
  for (int stack = 0; stack < count_; ++stack) stacks_[stack].share(nullptr);
  after_fork();
}

}  // namespace neuronspan
