// Random numbers: a generator of the device is a CPU generator with the device's name, so the streams are the CPU's.
#pragma once

#include <ATen/core/Generator.h>
#include <c10/core/Device.h>

namespace neuronspan {

// A fresh generator for `index`; a negative index means the current device.
at::Generator make_generator(c10::DeviceIndex index);
// The default generator of `index`: all of them draw from torch's default CPU generator, which torch.manual_seed seeds.
const at::Generator& default_generator(c10::DeviceIndex index);
// The CPU generator behind a generator of the device.
const at::Generator& cpu_generator_of(const at::Generator& generator);

}  // namespace neuronspan
