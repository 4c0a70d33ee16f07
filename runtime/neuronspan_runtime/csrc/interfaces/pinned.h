// Pinned host memory. To a simulated device all host memory is alike, so this is ordinary memory that is known as pinned:
// what programs ask for with `pin_memory()` and DataLoader(pin_memory=True) they find again with `is_pinned()`.
#pragma once

#include <c10/core/Allocator.h>

namespace neuronspan {

c10::Allocator& pinned_allocator();
// Whether an address is the beginning of a block of that allocator.
bool is_pinned(const void* address) noexcept;

}  // namespace neuronspan
