// torch's allocator interface over the arenas: storage data pointers are device addresses, charged before they exist.
#pragma once

#include <c10/core/Allocator.h>
#include <c10/core/StorageImpl.h>

#include <cstddef>

#include "device/device.h"

namespace neuronspan {

// The allocator torch finds for the device type; allocates on the calling thread's device.
c10::Allocator& allocator();

// A fresh block on `index`. Zero bytes give a null pointer that still knows its device.
c10::DataPtr allocate_on(c10::DeviceIndex index, std::size_t bytes);

// Reallocates a device storage, keeping the common prefix.
void resize_storage(c10::StorageImpl& storage, std::size_t bytes);

}  // namespace neuronspan
