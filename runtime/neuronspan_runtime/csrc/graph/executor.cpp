#include "graph/executor.h"

#include <ATen/Parallel.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/csrc/jit/passes/common_subexpression_elimination.h>
#include <torch/csrc/jit/passes/constant_pooling.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/peephole.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include <utility>

#include "check.h"
#include "device/device.h"
#include "device/pace.h"
#include "graph/inlining.h"
#include "graph/views.h"

// Of the libraries that torch itself computes with; either may be absent. MKL's lower-case name is the one for Fortran.
extern "C" {
__attribute__((weak)) void omp_set_num_threads(int threads);
__attribute__((weak)) int MKL_Set_Num_Threads_Local(int threads);
}

namespace neuronspan {

namespace {

// One NeuronCore is one CPU thread: cores then scale as CPUs do, and models on different cores do not compete.
// at::set_num_threads would change every thread that is made meanwhile, so this goes to the two libraries behind it, whose
// settings are the calling thread's own.
class OneThread {
 public:
  OneThread() : threads_(at::get_num_threads()) {  // also torch's own set-up of this thread, which must not come later
    if (threads_ == 1) return;
    if (omp_set_num_threads != nullptr) omp_set_num_threads(1);
    if (MKL_Set_Num_Threads_Local != nullptr) mkl_threads_ = MKL_Set_Num_Threads_Local(1);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
  ~OneThread() {
    if (threads_ == 1) return;
    if (omp_set_num_threads != nullptr) omp_set_num_threads(threads_);
    if (MKL_Set_Num_Threads_Local != nullptr) MKL_Set_Num_Threads_Local(mkl_threads_);
  }

 private:
  int threads_;
  int mkl_threads_ = 0;  // 0 = MKL's own default
};

// A compiled model computes in the types it was compiled with, and has no gradient: without these keys every operator goes
// straight to its CPU kernel.
constexpr c10::DispatchKeySet kHidden = c10::autograd_dispatch_keyset | c10::DispatchKeySet(c10::DispatchKey::AutocastCPU);

// The turn on every core of the span. Cores are taken in ascending order, so overlapping spans cannot wait in a ring; a
// model called from inside another one runs in the outer one's turn.
class Turn {
 public:
  Turn(const placement::CoreSpan& span, telemetry::Call& call)
      : span_(span), call_(call), outermost_(t_depth++ == 0), began_(call.ready()) {
    if (!outermost_) return;
    bool waited = false;
    for (int index = first(); index < end(); ++index) waited = core_at(index).running.enter() || waited;
    if (waited) began_ = telemetry::now();
    for (int index = first(); index < end(); ++index) telemetry::set(core_at(index).page.running_since, began_);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  // Keeps the cores until they had what the model needs on them.
  void last(std::int64_t nanoseconds) const {
    const std::int64_t needed = telemetry::now() - began_;
    for (int index = first(); index < end(); ++index) {
      telemetry::add(core_at(index).page.simulated_nanoseconds, nanoseconds);
      telemetry::add(core_at(index).page.computing_nanoseconds, needed);
    }
    if (needed > nanoseconds) {
      pace::report_slow(needed, nanoseconds);
    } else {
      pace::wait_until(began_ + nanoseconds);
    }
  }
  ~Turn() {
    --t_depth;
    const std::int64_t ended = telemetry::now();
    call_.worked(began_, ended);
    for (int index = first(); index < end(); ++index) {
      Core& here = core_at(index);
      telemetry::add(here.page.executions, 1);
      if (!outermost_) continue;  // its time is the outer model's
      telemetry::set(here.page.running_since, 0);
      telemetry::add(here.page.busy_nanoseconds, ended - began_);
      here.running.leave();
    }
  }

 private:
  int first() const { return span_.first; }
  int end() const { return span_.first + span_.count; }
  static Core& core_at(int index) { return core(static_cast<c10::DeviceIndex>(index)); }
  static thread_local int t_depth;

  placement::CoreSpan span_;
  telemetry::Call& call_;
  bool outermost_;
  std::int64_t began_;
};

thread_local int Turn::t_depth = 0;

// Only passes that leave every operator's arguments and order alone: the results must stay the module's own to the bit.
std::shared_ptr<torch::jit::Graph> straightened(torch::jit::Graph& original) {
  std::shared_ptr<torch::jit::Graph> graph = original.copy();
  inline_calls(*graph);
  torch::jit::runRequiredPasses(graph);
  torch::jit::ConstantPropagationImmutableTypes(graph);
  torch::jit::PeepholeOptimize(graph);
  torch::jit::EliminateCommonSubexpression(graph);
  torch::jit::ConstantPooling(graph);
  torch::jit::EliminateDeadCode(graph);
  return graph;
}

// Settles what is hidden from a graph as it is about to run.
c10::DispatchKeySet hide(const c10::IValue& self, torch::jit::Graph& graph) {
  if (!follows_views(self, graph)) return kHidden | kViews;
  spare_linear_layers(graph);
  return kHidden;
}

}  // namespace

Runnable::Runnable(const torch::jit::Module& module)
    : Runnable(module._ivalue(), straightened(*module.get_method("forward").graph())) {}

Runnable::Runnable(c10::IValue self, const std::shared_ptr<torch::jit::Graph>& graph)
    : self_(std::move(self)), hidden_keys_(hide(self_, *graph)), code_(graph, "forward") {}

c10::IValue Runnable::run(at::ArrayRef<c10::IValue> inputs) const {
  const std::size_t expected = code_.num_inputs() - 1;
  TORCH_CHECK(inputs.size() == expected, "the compiled model takes ", expected, " input tensors, got ", inputs.size());
  torch::jit::Stack stack;
  stack.reserve(inputs.size() + 16);  // the interpreter keeps its operands here too
  stack.push_back(self_);
  stack.insert(stack.end(), inputs.begin(), inputs.end());
  torch::jit::InterpreterState(code_).run(stack);
  return std::move(stack.front());
}

c10::IValue execute(const Runnable& runnable, const placement::CoreSpan& span, at::ArrayRef<c10::IValue> inputs,
                    telemetry::Call& call, std::int64_t lasts) {
  const at::NoGradGuard no_gradient;
  const c10::impl::ExcludeDispatchKeyGuard hidden(runnable.hidden_keys());
  const OneThread one_thread;
  const Turn turn(span, call);
  c10::IValue result = runnable.run(inputs);
  if (C10_UNLIKELY(lasts > 0)) turn.last(lasts);
  return result;
}

std::vector<at::Tensor> tensors_of(const c10::IValue& result) {
  if (result.isTensor()) return {result.toTensor()};
  if (result.isTensorList()) return result.toTensorVector();
  TORCH_CHECK(result.isTuple(), "a compiled model must return tensors, got ", result.tagKind());
  const auto& elements = result.toTupleRef().elements();
  std::vector<at::Tensor> tensors;
  tensors.reserve(elements.size());
  for (const c10::IValue& element : elements) tensors.push_back(element.toTensor());
  return tensors;
}

}  // namespace neuronspan
