// torch's hooks of the device: what torch.accelerator, Storage.resize_, Generator and pinning ask. Registered with
// RegisterPrivateUse1HooksInterface; nothing else calls it, so it needs no header.

#include <ATen/detail/PrivateUse1HooksInterface.h>

#include "check.h"
#include "device/device.h"
#include "interfaces/allocator.h"
#include "interfaces/generator.h"
#include "interfaces/pinned.h"

namespace neuronspan {

namespace {

// Methods without `override` are virtual only in later versions (isAvailable and getNewGenerator 2.7, isBuilt 2.8).
class NeuronHooks final : public at::PrivateUse1HooksInterface {
 public:
  bool isBuilt() const { return true; }
  bool isAvailable() const {
    return device_count_or_expected() > 0;  // no use of the device yet: torch asks before it forks
  }
  void init() const override { initialize(); }
  bool hasPrimaryContext(c10::DeviceIndex /*index*/) const override { return is_initialized(); }

  c10::DeviceIndex deviceCount() const override { return static_cast<c10::DeviceIndex>(device_count()); }
  c10::DeviceIndex getCurrentDevice() const override { return current_device(); }
  void setCurrentDevice(c10::DeviceIndex index) const override { set_current_device(index); }
  c10::DeviceIndex exchangeDevice(c10::DeviceIndex index) const override {
    const c10::DeviceIndex previous = current_device();
    set_current_device(index);
    return previous;
  }
  c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex index) const override {
    const c10::DeviceIndex previous = current_device();
    if (index >= 0) set_current_device(index);
    return previous;
  }

  bool isPinnedPtr(const void* data) const override { return is_pinned(data); }
  at::Allocator* getPinnedMemoryAllocator() const override { return &pinned_allocator(); }

  c10::Device getDeviceFromPtr(void* data) const override {
    const c10::DeviceIndex index = core_of_address(data);
    TORCH_CHECK(index >= 0, "not an address of a Neuron device: ", data);
    return {kNeuron, index};
  }

  const at::Generator& getDefaultGenerator(c10::DeviceIndex index) const override { return default_generator(index); }
  at::Generator getNewGenerator(c10::DeviceIndex index = -1) const { return make_generator(index); }

  void resizePrivateUse1Bytes(const c10::Storage& storage, std::size_t bytes) const override {
    resize_storage(*storage.unsafeGetStorageImpl(), bytes);
  }
};

NeuronHooks g_hooks;
[[maybe_unused]] const bool g_hooks_registered = (at::RegisterPrivateUse1HooksInterface(&g_hooks), true);

}  // namespace

}  // namespace neuronspan
