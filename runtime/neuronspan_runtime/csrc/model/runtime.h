// `torch.classes.neuron.Runtime`: the runtime as AWS's package shows it to Python, under its names.
// Law: it keeps nothing; cores, defaults and the switch of loading belong to the process, whoever asks.
#pragma once

#include <torch/custom_class.h>

#include <cstdint>
#include <string>
#include <vector>

namespace neuronspan {

// Gives the cores back. Returns nullptr, or a text that becomes the RuntimeError; it is given by Python, which owns them.
using Closer = const char* (*)();
void set_closer(Closer closer);

// What get_instance_info answers: the family of the instance, and its revision.
void set_instance_info(std::vector<std::string> info);

// Off: what this thread reads or copies is loaded at its first use, or when it is placed. Setting it returns the old value.
bool loads_at_once();
bool set_loading(bool enabled);

struct Runtime final : torch::CustomClassHolder {
  void initialize();
  // Throws while tensors or models are on the device.
  void unsafe_close();

  // Cores that the process could come to own, without claiming them where the machine is known. -1 when there are none.
  std::int64_t get_nc_count();
  // Cores that it owns: a first use. -1 when it cannot own any.
  std::int64_t get_visible_nc_count();
  std::vector<std::string> get_instance_info();

  void set_default_neuron_cores(std::int64_t start, std::int64_t count);
  std::int64_t get_default_start_nc();
  std::int64_t get_default_nc_count();

  void enable();
  void disable();
};

}  // namespace neuronspan
