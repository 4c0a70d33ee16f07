#include "model/inference.h"

#include <ATen/ATen.h>

#include <cstddef>
#include <memory>
#include <utility>

#include "device/device.h"
#include "device/pace.h"
#include "graph/executor.h"
#include "model/batching.h"
#include "operators/alias.h"

namespace neuronspan {

namespace {

// One request through all stages. It holds only the core of the stage that it is in, so that the next request can be in
// the stage before; what it carries between stages is its own.
std::vector<at::Tensor> run(const Stages& stages, const placement::CoreSpan& span, at::ArrayRef<c10::IValue> values, const Durations* durations) {
  telemetry::Call call(core(static_cast<c10::DeviceIndex>(span.first)).page);
  const auto lasts = [&](std::size_t stage) { return durations == nullptr ? 0 : (*durations)[stage]; };
  if (stages.size() == 1) return tensors_of(execute(stages.front()->runnable, span, values, call, lasts(0)));
  c10::IValue carried;
  for (std::size_t stage = 0; stage + 1 < stages.size(); ++stage) {
    const placement::CoreSpan own{span.first + static_cast<int>(stage), 1};
    carried = execute(stages[stage]->runnable, own, values, call, lasts(stage));
    values = carried.toTupleRef().elements().asArrayRef();
  }
  return tensors_of(execute(stages.back()->runnable, {span.first + span.count - 1, 1}, values, call, lasts(stages.size() - 1)));
}

// Device memory and CPU memory alike: an output must never share bytes with an input, the weights or an earlier output.
at::Tensor unshared(at::Tensor output, const std::vector<c10::IValue>& inputs, const Stages& stages, at::TensorList earlier) {
  bool shared = false;
  for (const at::Tensor& other : earlier) shared = shared || other.is_alias_of(output);
  for (const auto& stage : stages)
    shared = shared || stage->weight_storages.count(output.storage().unsafeGetStorageImpl()) > 0;
  for (const c10::IValue& input : inputs) shared = shared || input.toTensor().is_alias_of(output);
  return shared ? output.detach().clone() : output;  // a weight that requires a gradient must not lend it
}

// The inputs as the CPU graph takes them; those on the CPU count as copied to the core.
std::vector<c10::IValue> on_host(const std::vector<at::Tensor>& inputs, Core& owner) {
  std::vector<c10::IValue> values;
  values.reserve(inputs.size() + 1);
  std::size_t copied = 0;
  for (const at::Tensor& input : inputs) {
    if (!on_neuron(input)) {
      owner.host_to_device.add(input.nbytes());
      copied += input.nbytes();
    }
    values.emplace_back(input.requires_grad() ? host_alias(input.detach()) : host_alias(input));
  }
  const pace::Copy copy(copied, pace::Direction::to_device);
  return values;
}

}  // namespace

std::vector<at::Tensor> infer(Loaded& loaded, const std::vector<at::Tensor>& inputs, const Signature& signature, bool dynamic) {
  const Route route = loaded.route(inputs, signature);
  const Stages& stages = loaded.stages();
  const auto index = static_cast<c10::DeviceIndex>(route.span.first);
  const std::vector<c10::IValue> values = on_host(inputs, core(index));
  const std::shared_ptr<const Durations> durations = pace::enabled() ? loaded.durations() : nullptr;
  std::vector<at::Tensor> outputs;
  if (dynamic && inputs[0].size(0) != signature.batch()) {
    const auto once = [&](std::vector<c10::IValue> rows) { return run(stages, route.span, rows, durations.get()); };
    outputs = in_batches(values, signature.arguments(inputs.size()), signature.batch(), once);
  } else {
    outputs = run(stages, route.span, values, durations.get());
  }
  std::size_t copied = 0;
  for (std::size_t position = 0; position < outputs.size(); ++position) {
    at::Tensor& output = outputs[position];
    if (route.outputs_stay) {
      output = adopt(std::move(output), index);
    } else {
      output = unshared(output, values, stages, at::TensorList(outputs.data(), position));
      core(index).device_to_host.add(output.nbytes());
      copied += output.nbytes();
    }
  }
  const pace::Copy copy(copied, pace::Direction::to_host);
  return outputs;
}

}  // namespace neuronspan
