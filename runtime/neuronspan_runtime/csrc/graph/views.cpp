#include "graph/views.h"

#include <ATen/ATen.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/csrc/jit/runtime/custom_operator.h>

#include <optional>
#include <utility>

namespace neuronspan {

namespace {

const c10::Symbol& linear_symbol() {
  static const c10::Symbol symbol = c10::Symbol::fromQualString("neuronspan::linear");
  return symbol;
}

// torch's own linear. It asks the transpose of the weight whether it requires a gradient where it multiplies by matmul
// and may fold an input of three or more dimensions into a matrix. With fewer it calls addmm, mm or mv, which ask nobody.
void linear(torch::jit::Stack& stack) {
  auto bias = torch::jit::pop(stack).to<std::optional<at::Tensor>>();
  const at::Tensor weight = torch::jit::pop(stack).toTensor();
  const at::Tensor input = torch::jit::pop(stack).toTensor();
  const c10::impl::ExcludeDispatchKeyGuard unfollowed(input.dim() < 3 ? kViews : c10::DispatchKeySet());
  stack.emplace_back(at::linear(input, weight, std::move(bias)));
}

const torch::jit::RegisterOperators g_linear({torch::jit::Operator(
    "neuronspan::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor", linear, c10::AliasAnalysisKind::FROM_SCHEMA)});

bool writes(const torch::jit::Block& block) {
  for (const torch::jit::Node* node : block.nodes()) {
    const c10::FunctionSchema* const schema = node->maybeSchema();
    if (schema != nullptr && schema->is_mutable()) return true;
    for (const torch::jit::Block* inner : node->blocks())
      if (writes(*inner)) return true;
  }
  return false;
}

void replace_linear_layers(torch::jit::Block& block) {
  for (auto at = block.nodes().begin(); at != block.nodes().end(); ++at) {
    for (torch::jit::Block* inner : at->blocks()) replace_linear_layers(*inner);
    if (!at->matches("aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor")) continue;
    at->replaceWithNewSymbol(linear_symbol());
    at.destroyCurrent();
  }
}

}  // namespace

// matmul multiplies in another way by the transpose of a weight that requires a gradient, which only a followed view
// knows, and the results must be the plain ScriptModule's to the bit; and what is written in place may be an input, whose
// versions autograd counts.
bool follows_views(const c10::IValue& self, const torch::jit::Graph& forward) {
  bool trainable = false;
  self.visit([&](const c10::IValue& value) {
    trainable = trainable || (value.isTensor() && value.toTensor().requires_grad());
    return false;  // go on into containers and submodules
  });
  return trainable || writes(*forward.block());
}

void spare_linear_layers(torch::jit::Graph& graph) { replace_linear_layers(*graph.block()); }

}  // namespace neuronspan
