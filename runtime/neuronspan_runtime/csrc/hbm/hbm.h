// The HBM of all cores of this process: two windows of address space with every stack in them.
// Law: the difference of the windows translates every device address, and a division finds its stack.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "hbm/arena.h"
#include "hbm/hbm_stack.h"

namespace neuronspan {

// The machine's HBM as `configure` is told it; cores are numbered on the node.
struct HbmLayout {
  std::int64_t bytes_per_core = 0;
  std::int64_t first_core = 0;
  std::int64_t carve_out = -1;       // of each stack; -1 = by generation
  std::int64_t small_pool = -1;      // of each stack; -1 = by generation
  std::int64_t cores_per_stack = 1;  // 1, or 2 with logical NeuronCores of one physical core
  std::int64_t cores_per_device = 1;
  std::int64_t logical_core_size = 1;
  bool log_exhaustion = true;
  std::string ledgers;  // directory where processes that share a stack find each other; empty = each has its even share
};

class Hbm {
 public:
  static constexpr int kMaxStacks = 127;

  // Lays the arenas of `cores` cores out. Throws c10::Error, having taken nothing, when that is impossible.
  template <typename ArenaOf>
  void open(int cores, const HbmLayout& layout, const ArenaOf& arena_of) {
    reserve(cores, layout);
    for (int index = 0; index < cores; ++index)
      arena_of(index).open(stacks_[stack_of(index)], index, static_cast<int>(layout.first_core) + index,
                           core_name(index, layout.first_core), code_bytes(layout));
  }
  void close();

  static std::string core_name(int index, std::int64_t first_core) {
    return "neuron:" + std::to_string(index) + " (NeuronCore " + std::to_string(first_core + index) + ")";
  }

  // What the microcode of one core takes as soon as a model is loaded there.
  static std::size_t code_bytes(const HbmLayout& layout);

  // The stack whose window holds the address, or null.
  HbmStack* stack_at(const void* device_address) noexcept;
  // Of the core whose block holds the address, or null.
  const Arena* arena_at(const void* device_address) noexcept;
  void* host_address(void* device_address) const { return host_ + (static_cast<char*>(device_address) - device_); }

  // Held over a fork, so that a child finds the books complete and unlocked.
  void before_fork();
  void after_fork();
  void after_fork_in_child();

 private:
  void reserve(int cores, const HbmLayout& layout);
  void open_stack(int stack, int cores, const HbmLayout& layout);
  int stack_of(int index) const { return (offset_in_stack_ + index) / cores_per_stack_; }

  // Tensors point into one window, which nobody may touch; kernels compute in the other.
  char* device_ = nullptr;
  char* host_ = nullptr;
  std::size_t per_stack_ = 0;
  std::size_t total_ = 0;
  int count_ = 0;
  int cores_per_stack_ = 1;
  int offset_in_stack_ = 0;  // of the first core
  std::array<HbmStack, kMaxStacks> stacks_;
};

}  // namespace neuronspan
