#include "device/pace.h"

#include <c10/util/Exception.h>

#include <atomic>
#include <cerrno>
#include <cmath>
#include <ctime>
#include <string>

#include "check.h"
#include "reporting/telemetry.h"

namespace neuronspan::pace {

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::atomic<bool> executions{false};
std::atomic<double> to_device_per_byte{0.0};
std::atomic<double> to_host_per_byte{0.0};
std::atomic<bool> slow_reported{false};

}  // namespace

void set(bool enabled, double to_device, double to_host) {
  for (const double each : {to_device, to_host})
    TORCH_CHECK(std::isfinite(each) && each >= 0, "a byte takes 0 or more nanoseconds, not ", each);
  to_device_per_byte.store(enabled ? to_device : 0.0);
  to_host_per_byte.store(enabled ? to_host : 0.0);
  executions.store(enabled);
}

bool enabled() noexcept { return executions.load(std::memory_order_relaxed); }

void wait_until(std::int64_t nanoseconds) noexcept {
  const timespec end{static_cast<time_t>(nanoseconds / kSecond), static_cast<long>(nanoseconds % kSecond)};
  // steady_clock, which telemetry::now reads, is this clock; an absolute end survives signals
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, nullptr) == EINTR) {
  }
}

// On standard error, as torch's warnings from threads without Python, and never through Python: how fast the CPU happens to
// be must not decide whether a program that turns warnings into errors gets its result.
void report_slow(std::int64_t needed, std::int64_t lasts) {
  if (slow_reported.exchange(true)) return;
  const std::string text = c10::str(
      "NEURONSPAN_TIME=device: the CPU needed ", needed / 1000, " us for an execution that is to last ", lasts / 1000,
      " us. It, and others like it, last longer than on a NeuronCore; with NEURONSPAN_TIME_SCALE of at least ",
      (needed + lasts - 1) / lasts, " times the present one ratios are right again");
  c10::WarningHandler().process(c10::Warning(c10::UserWarning(), {__func__, __FILE__, __LINE__}, text, /*verbatim=*/false));
}

Copy::Copy(std::size_t bytes, Direction direction) noexcept {
  const double each = (direction == Direction::to_device ? to_device_per_byte : to_host_per_byte).load(std::memory_order_relaxed);
  until_ = each == 0.0 ? 0 : telemetry::now() + static_cast<std::int64_t>(each * static_cast<double>(bytes));
}

}  // namespace neuronspan::pace
