#include "graph/profile.h"

#include <ATen/Parallel.h>
#include <torch/csrc/jit/runtime/interpreter.h>

#include <algorithm>
#include <ctime>
#include <limits>
#include <unordered_map>
#include <utility>

#include "check.h"
#include "graph/compiled.h"
#include "graph/example.h"
#include "graph/program.h"

namespace neuronspan {

namespace {

using torch::jit::Value;

// The best of so many passes, fewer once they took long enough.
constexpr int kFewestPasses = 3;
constexpr int kMostPasses = 20;
constexpr std::int64_t kEnoughNanoseconds = 200'000'000;

std::int64_t tensor_bytes(const c10::IValue& value) {
  std::int64_t bytes = 0;
  value.visit([&](const c10::IValue& part) {
    if (part.isTensor() && part.toTensor().defined()) bytes += static_cast<std::int64_t>(part.toTensor().nbytes());
    return false;
  });
  return bytes;
}

// One intra-op thread: what an operation costs is then this thread's time, whatever else the machine does.
class SingleThread {
 public:
  SingleThread() : threads_(at::get_num_threads()) { at::set_num_threads(1); }
  SingleThread(const SingleThread&) = delete;
  SingleThread& operator=(const SingleThread&) = delete;
  ~SingleThread() { at::set_num_threads(threads_); }

 private:
  int threads_;
};

std::int64_t thread_nanoseconds() {
  timespec now{};
  NEURONSPAN_CHECK_SYSTEM(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0, "clock_gettime");
  return now.tv_sec * std::int64_t(1'000'000'000) + now.tv_nsec;
}

std::int64_t timed(const torch::jit::Code& code, torch::jit::Stack& stack) {
  const std::int64_t started = thread_nanoseconds();
  torch::jit::InterpreterState(code).run(stack);
  return thread_nanoseconds() - started;
}

// What it takes to run nothing.
std::int64_t overhead() {
  const torch::jit::Code nothing(std::make_shared<torch::jit::Graph>(), "nothing");
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (int run = 0; run < kMostPasses; ++run) {
    torch::jit::Stack stack;
    least = std::min(least, timed(nothing, stack));
  }
  return least;
}

// Runs a program one operation at a time and keeps the least time of each.
class Stopwatch {
 public:
  explicit Stopwatch(const Program& program)
      : program_(program),
        nanoseconds(program.size(), std::numeric_limits<std::int64_t>::max()),
        carried_bytes(program.size() + 1) {
    for (std::size_t index = 0; index < program.size(); ++index) {
      const auto outputs = program.operation(index).outputs();
      Program::Piece piece = program.piece(index, index + 1, {}, {outputs.begin(), outputs.end()});
      steps_.push_back({torch::jit::Code(piece.graph, "operation"), std::move(piece.inputs), {}});
    }
    for (Value* const input : program.inputs()) drop_after_use(input);
    for (std::size_t index = 0; index < program.size(); ++index)
      for (Value* const output : program.operation(index).outputs()) drop_after_use(output);
  }

  // Returns the nanoseconds of all operations.
  std::int64_t pass(std::vector<c10::IValue> inputs, bool first) {
    for (std::size_t index = 0; index < inputs.size(); ++index) store(program_.inputs()[index], std::move(inputs[index]), 0, first);
    std::int64_t sum = 0;
    for (std::size_t index = 0; index < steps_.size(); ++index) {
      torch::jit::Stack stack;
      for (const Value* const input : steps_[index].inputs) {
        const at::Tensor* const weight = program_.weight(input);
        stack.push_back(weight != nullptr ? c10::IValue(*weight) : values_.at(input));
      }
      const std::int64_t taken = timed(steps_[index].code, stack);
      sum += taken;
      nanoseconds[index] = std::min(nanoseconds[index], taken);
      const auto outputs = program_.operation(index).outputs();
      for (std::size_t output = 0; output < outputs.size(); ++output)
        store(outputs[output], std::move(stack[output]), index + 1, first);
      for (const Value* const done : steps_[index].done) values_.erase(done);
    }
    values_.clear();
    return sum;
  }

 private:
  struct Step {
    torch::jit::Code code;
    std::vector<Value*> inputs;
    std::vector<const Value*> done;  // not needed after it
  };

  void drop_after_use(const Value* value) {
    const std::ptrdiff_t last = program_.last_use(value);
    if (last >= 0 && last < static_cast<std::ptrdiff_t>(steps_.size())) steps_[static_cast<std::size_t>(last)].done.push_back(value);
  }

  // `from`: the first boundary at which the value exists.
  void store(const Value* value, c10::IValue content, std::size_t from, bool first) {
    if (first) {
      const std::int64_t bytes = tensor_bytes(content);
      const std::ptrdiff_t last = program_.last_use(value);
      for (auto boundary = static_cast<std::ptrdiff_t>(from); boundary <= last; ++boundary)
        carried_bytes[static_cast<std::size_t>(boundary)] += bytes;
    }
    values_[value] = std::move(content);
  }

  const Program& program_;
  std::vector<Step> steps_;
  std::unordered_map<const Value*, c10::IValue> values_;

 public:
  std::vector<std::int64_t> nanoseconds;
  std::vector<std::int64_t> carried_bytes;
};

bool computes(const torch::jit::Node& node) {
  if (!node.blocks().empty()) return true;  // a branch or a loop
  const c10::FunctionSchema* const schema = node.maybeSchema();
  if (schema == nullptr || node.kind().is_prim()) return false;
  for (const c10::Argument& argument : schema->arguments())
    if (argument.alias_info() != nullptr && argument.alias_info()->isWrite()) return true;
  bool makes_tensors = false;
  for (const c10::Argument& result : schema->returns()) {
    if (result.alias_info() != nullptr) return false;
    const c10::TypePtr& type = result.type();
    makes_tensors = makes_tensors || type->isSubtypeOf(*c10::TensorType::get()) || type->isSubtypeOf(*c10::ListType::ofTensors());
  }
  return makes_tensors;
}

}  // namespace

Profile measure(const at::Tensor& archive, const std::vector<at::Tensor>& example) {
  const c10::NoGradGuard no_gradient;
  const std::shared_ptr<Compiled> whole = read_compiled(archive);
  const Program program(whole->module);
  const SingleThread single_thread;
  SameRandomNumbers random;
  Stopwatch watch(program);
  std::int64_t sum = 0;
  for (int pass = 0; pass < kFewestPasses || (pass < kMostPasses && sum < kEnoughNanoseconds); ++pass) {
    sum += watch.pass(copies_of(example), pass == 0);
    random.rewind();
  }
  const std::int64_t nothing = overhead();
  for (std::int64_t& taken : watch.nanoseconds) taken = std::max<std::int64_t>(taken - nothing, 0);
  watch.carried_bytes.resize(program.size());
  c10::List<bool> computing;
  for (std::size_t index = 0; index < program.size(); ++index) computing.push_back(computes(program.operation(index)));
  return {std::move(watch.nanoseconds), std::move(watch.carried_bytes), std::move(computing)};
}

}  // namespace neuronspan
