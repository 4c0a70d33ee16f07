#include "interfaces/generator.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/GeneratorForPrivateuseone.h>

#include <array>
#include <memory>
#include <utility>

#include "check.h"
#include "device/device.h"

namespace neuronspan {

namespace {

class NeuronGenerator final : public c10::GeneratorImpl {
 public:
  NeuronGenerator(c10::DeviceIndex index, at::Generator cpu)
      : GeneratorImpl(c10::Device(kNeuron, index), c10::DispatchKeySet(c10::DispatchKey::PrivateUse1)), cpu_(std::move(cpu)) {}

  const at::Generator& cpu() const { return cpu_; }

  void set_current_seed(std::uint64_t seed) override { cpu_.set_current_seed(seed); }
  std::uint64_t current_seed() const override { return cpu_.current_seed(); }
  std::uint64_t seed() override { return cpu_.seed(); }
  // The CPU's has none, but who pickles or copies a generator of a device asks for one, and sets it.
  void set_offset(std::uint64_t offset) override {
    if (offset != 0) cpu_.set_offset(offset);
  }
  std::uint64_t get_offset() const override { return 0; }
  void set_state(const c10::TensorImpl& state) override { cpu_.unsafeGetGeneratorImpl()->set_state(state); }
  c10::intrusive_ptr<c10::TensorImpl> get_state() const override { return cpu_.unsafeGetGeneratorImpl()->get_state(); }

 private:
  NeuronGenerator* clone_impl() const override {
    return c10::make_intrusive<NeuronGenerator>(device().index(), cpu_.clone()).release();
  }

  at::Generator cpu_;
};

using DefaultGenerators = std::array<at::Generator, kMaxCores>;

DefaultGenerators& default_generators() {
  static DefaultGenerators* const generators = [] {
    auto made = std::make_unique<DefaultGenerators>();
    for (int index = 0; index < kMaxCores; ++index)
      (*made)[index] = at::make_generator<NeuronGenerator>(static_cast<c10::DeviceIndex>(index), at::detail::getDefaultCPUGenerator());
    return made.release();  // never destroyed, like torch's own
  }();
  return *generators;
}

}  // namespace

at::Generator make_generator(c10::DeviceIndex index) {
  if (index >= 0 && index >= device_count_or_expected()) core(index);  // says which there are
  return at::make_generator<NeuronGenerator>(index < 0 ? current_device() : index, at::detail::createCPUGenerator());
}

const at::Generator& default_generator(c10::DeviceIndex index) {
  const c10::DeviceIndex wanted = index < 0 ? current_device() : index;
  core(wanted);
  return default_generators()[wanted];
}

const at::Generator& cpu_generator_of(const at::Generator& generator) {
  return static_cast<NeuronGenerator*>(generator.unsafeGetGeneratorImpl())->cpu();
}

#if !NEURONSPAN_TORCH_AT_LEAST(2, 7)
REGISTER_GENERATOR_PRIVATEUSE1(make_generator)  // later versions ask the hooks instead, and warn about this macro
#endif

}  // namespace neuronspan
