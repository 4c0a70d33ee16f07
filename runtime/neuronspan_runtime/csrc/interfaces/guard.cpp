// torch's device guard: current device, streams and events. Every operation is synchronous, so a stream is a number and
// an event is a time. Registered under C10_REGISTER_GUARD_IMPL; nothing else calls it, so it needs no header.

#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <chrono>
#include <memory>

#include "check.h"
#include "device/device.h"

namespace neuronspan {

namespace {

using Clock = std::chrono::steady_clock;
struct Event {
  Clock::time_point recorded;
};

class NeuronGuard final : public c10::impl::DeviceGuardImplInterface {
 public:
  c10::DeviceType type() const override { return kNeuron; }

  c10::Device exchangeDevice(c10::Device device) const override {
    const c10::Device previous = getDevice();
    setDevice(device);
    return previous;
  }

  c10::Device getDevice() const override { return {kNeuron, current_device()}; }

  void setDevice(c10::Device device) const override {
    if (!device.has_index()) return;
    // autograd's worker threads announce their device before anybody has used one: that is no use of the device yet
    if (is_initialized()) {
      set_current_device(device.index());
    } else {
      restore_current_device(device.index());
    }
  }

  void uncheckedSetDevice(c10::Device device) const noexcept override {
    if (device.has_index()) restore_current_device(device.index());
  }

  // `noexcept` was dropped from the base later; an override may be stricter, so one spelling suits every version.
  c10::Stream getStream(c10::Device device) const noexcept override { return default_stream(device); }
  c10::Stream getDefaultStream(c10::Device device) const override { return default_stream(device); }
  c10::Stream getStreamFromGlobalPool(c10::Device device, bool /*high_priority*/) const override { return default_stream(device); }
  c10::Stream getNewStream(c10::Device device, int /*priority*/) const override { return default_stream(device); }
  c10::Stream exchangeStream(c10::Stream stream) const noexcept override { return default_stream(stream.device()); }
  bool queryStream(const c10::Stream& /*stream*/) const override { return true; }
  void synchronizeStream(const c10::Stream& /*stream*/) const override {}
  void synchronizeDevice(const c10::DeviceIndex /*index*/) const override {}

  void record(void** event, const c10::Stream& /*stream*/, const c10::DeviceIndex /*index*/,
              const c10::EventFlag /*flag*/) const override {
    if (*event == nullptr) *event = std::make_unique<Event>().release();
    static_cast<Event*>(*event)->recorded = Clock::now();
  }
  void block(void* /*event*/, const c10::Stream& /*stream*/) const override {}
  bool queryEvent(void* /*event*/) const override { return true; }
  void synchronizeEvent(void* /*event*/) const override {}
  double elapsedTime(void* start, void* end, const c10::DeviceIndex /*index*/) const override {
    TORCH_CHECK(start != nullptr && end != nullptr, "both events must be recorded before the time between them is asked for");
    const auto between = static_cast<Event*>(end)->recorded - static_cast<Event*>(start)->recorded;
    return std::chrono::duration<double, std::milli>(between).count();
  }
  void destroyEvent(void* event, const c10::DeviceIndex /*index*/) const noexcept override {
    std::unique_ptr<Event>(static_cast<Event*>(event));
  }

  c10::DeviceIndex deviceCount() const noexcept override {
    return static_cast<c10::DeviceIndex>(device_count_or_expected());
  }

 private:
  static c10::Stream default_stream(c10::Device device) { return c10::Stream(c10::Stream::DEFAULT, device); }
};

}  // namespace

C10_REGISTER_GUARD_IMPL(PrivateUse1, NeuronGuard);

}  // namespace neuronspan
