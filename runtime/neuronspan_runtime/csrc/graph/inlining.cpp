#include "graph/inlining.h"

#include <torch/csrc/jit/passes/inliner.h>

#include <utility>
#include <vector>

namespace neuronspan {

namespace {

void add_calls(const torch::jit::Block& block, std::vector<const torch::jit::Node*>& calls) {
  for (const torch::jit::Node* node : block.nodes()) {
    if (node->kind() == c10::prim::CallMethod || node->kind() == c10::prim::CallFunction) calls.push_back(node);
    for (const torch::jit::Block* inner : node->blocks()) add_calls(*inner, calls);
  }
}

std::vector<const torch::jit::Node*> calls_of(const torch::jit::Graph& graph) {
  std::vector<const torch::jit::Node*> calls;
  add_calls(*graph.block(), calls);
  return calls;
}

}  // namespace

void inline_calls(torch::jit::Graph& graph) {
  std::vector<const torch::jit::Node*> before;
  for (auto calls = calls_of(graph); !calls.empty() && calls != before; calls = calls_of(graph)) {
    before = std::move(calls);
    torch::jit::Inline(graph);
  }
}

}  // namespace neuronspan
