#include "executor.h"

#include <ATen/autocast_mode.h>
#include <torch/csrc/jit/frontend/tracer.h>

#include <mutex>
#include <utility>

#include "check.h"
#include "device.h"

namespace neuronspan {

namespace {

// Inside torch.jit.trace the call must stay one node of the traced graph instead of being inlined.
class WithoutTracer {
 public:
  WithoutTracer() : state_(torch::jit::tracer::getTracingState()) {
    if (state_) torch::jit::tracer::setTracingState(nullptr);
  }
  WithoutTracer(const WithoutTracer&) = delete;
  WithoutTracer& operator=(const WithoutTracer&) = delete;
  ~WithoutTracer() {
    if (state_) torch::jit::tracer::setTracingState(state_);
  }

 private:
  std::shared_ptr<torch::jit::tracer::TracingState> state_;
};

// A compiled model computes in the types it was compiled with, whatever autocast surrounds the call.
class WithoutAutocast {
 public:
  WithoutAutocast() : enabled_(at::autocast::is_autocast_enabled(at::kCPU)) {
    if (enabled_) at::autocast::set_autocast_enabled(at::kCPU, false);
  }
  WithoutAutocast(const WithoutAutocast&) = delete;
  WithoutAutocast& operator=(const WithoutAutocast&) = delete;
  ~WithoutAutocast() {
    if (enabled_) at::autocast::set_autocast_enabled(at::kCPU, true);
  }

 private:
  bool enabled_;
};

// The turn on every core of the span. Cores are taken in ascending order, so overlapping spans cannot wait in a ring; a
// model called from inside another one runs in the outer one's turn.
class Turn {
 public:
  Turn(const placement::CoreSpan& span, telemetry::Call& call) : span_(span), call_(call), began_(call.ready()) {
    if (t_depth++ > 0) return;
    locks_.reserve(static_cast<std::size_t>(span.count));
    bool waited = false;
    for (int index = span.first; index < span.first + span.count; ++index) {
      locks_.emplace_back(core_at(index).running, std::try_to_lock);
      if (locks_.back().owns_lock()) continue;
      locks_.back().lock();
      waited = true;
    }
    if (waited) began_ = telemetry::now();
    for (int index = span.first; index < span.first + span.count; ++index) telemetry::set(core_at(index).page.running_since, began_);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    const std::int64_t ended = telemetry::now();
    call_.worked(began_, ended);
    const bool outermost = --t_depth == 0;  // a model inside another one runs in the other one's time
    for (int index = span_.first; index < span_.first + span_.count; ++index) {
      telemetry::Page& page = core_at(index).page;
      telemetry::add(page.executions, 1);
      if (!outermost) continue;
      telemetry::set(page.running_since, 0);
      telemetry::add(page.busy_nanoseconds, ended - began_);
    }
  }

 private:
  static Core& core_at(int index) { return core(static_cast<c10::DeviceIndex>(index)); }
  static thread_local int t_depth;

  placement::CoreSpan span_;
  telemetry::Call& call_;
  std::int64_t began_;
  std::vector<std::unique_lock<std::mutex>> locks_;
};

thread_local int Turn::t_depth = 0;

}  // namespace

std::vector<at::Tensor> tensors_of(const c10::IValue& result) {
  if (result.isTensor()) return {result.toTensor()};
  if (result.isTensorList()) return result.toTensorVector();
  TORCH_CHECK(result.isTuple(), "a compiled model must return tensors, got ", result.tagKind());
  std::vector<at::Tensor> tensors;
  for (const c10::IValue& element : result.toTupleRef().elements()) tensors.push_back(element.toTensor());
  return tensors;
}

c10::IValue execute(torch::jit::Module& module, const placement::CoreSpan& span, std::vector<c10::IValue> inputs,
                    telemetry::Call& call) {
  const c10::NoGradGuard no_gradient;
  const WithoutTracer no_tracer;
  const WithoutAutocast no_autocast;
  const Turn turn(span, call);
  return module.forward(std::move(inputs));
}

}  // namespace neuronspan
