#include "graph/program.h"

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "check.h"
#include "graph/inlining.h"

namespace neuronspan {

namespace {

// Copies operations into a new graph and finds for each value what it is there.
class PieceBuilder {
 public:
  using Value = torch::jit::Value;

  void give(Value* value) {
    Value* const input = graph_->addInput()->setType(c10::unshapedType(value->type()));
    known_.emplace(value, input);
    inputs_.push_back(value);
  }

  void append(torch::jit::Node* node) {
    torch::jit::Node* const copy = graph_->createClone(node, [this](Value* value) { return here(value); });
    graph_->appendNode(copy);
    for (std::size_t index = 0; index < copy->outputs().size(); ++index) known_.emplace(node->outputs()[index], copy->outputs()[index]);
  }

  // What the value is in this graph: a copy for a constant, else an input when nothing here makes it.
  Value* here(Value* value) {
    if (known_.count(value) == 0) {
      if (value->node()->kind() == c10::prim::Constant) {
        append(value->node());
      } else {
        give(value);
      }
    }
    return known_.at(value);
  }

  const std::shared_ptr<torch::jit::Graph>& graph() const { return graph_; }
  const std::vector<Value*>& inputs() const { return inputs_; }

 private:
  std::shared_ptr<torch::jit::Graph> graph_ = std::make_shared<torch::jit::Graph>();
  std::vector<Value*> inputs_;
  std::unordered_map<Value*, Value*> known_;
};

// Turns an input of the graph of a method into a weight that the module holds.
void hold(torch::jit::Module& module, torch::jit::Graph& graph, std::size_t input, const at::Tensor& weight) {
  const std::string name = "weight" + std::to_string(input);
  if (weight.requires_grad()) {
    module.register_parameter(name, weight, /*is_buffer=*/false);
  } else {
    module.register_buffer(name, weight);
  }
  const torch::jit::WithInsertPoint at_the_start(*graph.nodes().begin());
  graph.inputs()[input]->replaceAllUsesWith(graph.insertGetAttr(graph.inputs()[0], name));
  graph.eraseInput(input);
}

}  // namespace

Program::Program(const torch::jit::Module& module) : graph_(module.get_method("forward").graph()->copy()) {
  inline_calls(*graph_);
  inputs_.assign(graph_->inputs().begin() + 1, graph_->inputs().end());
  lower(graph_->inputs()[0], module._ivalue());
  graph_->eraseInput(0);
  for (Node* const node : graph_->nodes()) {
    if (node->kind() == c10::prim::Constant) continue;
    positions_.emplace(node, static_cast<std::ptrdiff_t>(nodes_.size()));
    nodes_.push_back(node);
  }
}

// Replaces every access to the module's attributes, and to those of its submodules, by what they hold.
void Program::lower(Value* module, const c10::IValue& content) {
  const std::vector<torch::jit::Use> uses = module->uses();  // a copy: they go one by one
  for (const torch::jit::Use& use : uses) {
    TORCH_CHECK(use.user->kind() == c10::prim::GetAttr, "it changes its attributes or hands itself on: ", *use.user);
    lower_attribute(use.user, content.toObjectRef().getAttr(use.user->s(c10::attr::name)));
  }
}

void Program::lower_attribute(Node* access, const c10::IValue& content) {
  if (content.isModule()) {
    lower(access->output(), content);
  } else if (content.isTensor()) {
    Value*& value = values_of_weights_[content.unsafeToTensorImpl()];
    if (value == nullptr) {
      value = graph_->addInput()->setType(c10::TensorType::get());
      weights_.emplace(value, content.toTensor());
    }
    access->output()->replaceAllUsesWith(value);
  } else {
    const torch::jit::WithInsertPoint here(access);
    const std::optional<Value*> constant = torch::jit::tryInsertConstant(*graph_, content);
    TORCH_CHECK(constant.has_value(), "it holds a ", content.tagKind(), " as ", access->s(c10::attr::name), ", not only tensors");
    access->output()->replaceAllUsesWith(*constant);
  }
  access->destroy();
}

const at::Tensor* Program::weight(const Value* value) const {
  const auto found = weights_.find(value);
  return found == weights_.end() ? nullptr : &found->second;
}

std::ptrdiff_t Program::position_of(const Node* user) const {
  while (user->owningBlock() != graph_->block()) user = user->owningBlock()->owningNode();
  const auto found = positions_.find(user);
  return found == positions_.end() ? static_cast<std::ptrdiff_t>(size()) : found->second;  // the only other one returns
}

std::ptrdiff_t Program::last_use(const Value* value) const {
  std::ptrdiff_t last = -1;
  for (const torch::jit::Use& use : value->uses()) last = std::max(last, position_of(use.user));
  return last;
}

std::vector<Program::Value*> Program::carried(std::size_t boundary) const {
  const auto limit = static_cast<std::ptrdiff_t>(boundary);
  std::vector<Value*> values;
  const auto consider = [&](Value* value) {
    if (last_use(value) >= limit) values.push_back(value);
  };
  std::for_each(inputs_.begin(), inputs_.end(), consider);
  for (std::size_t index = 0; index < boundary; ++index)
    for (Value* const output : nodes_[index]->outputs()) consider(output);
  return values;
}

Program::Piece Program::piece(std::size_t begin, std::size_t end, const std::vector<Value*>& given,
                              const std::vector<Value*>& wanted) const {
  PieceBuilder builder;
  for (Value* const value : given) builder.give(value);
  for (std::size_t index = begin; index < end; ++index) builder.append(nodes_[index]);
  for (Value* const value : wanted) builder.graph()->registerOutput(builder.here(value));
  return {builder.graph(), builder.inputs()};
}

torch::jit::Module Program::stage(std::size_t begin, std::size_t end) const {
  const std::vector<Value*> given = begin == 0 ? inputs_ : carried(begin);
  const bool last = end == size();
  const Piece found = piece(begin, end, given, last ? graph_->outputs().vec() : carried(end));
  torch::jit::Graph& graph = *found.graph;
  if (!last) {
    torch::jit::Node* const tuple = graph.appendNode(graph.createTuple(graph.outputs()));
    while (!graph.outputs().empty()) graph.eraseOutput(0);
    graph.registerOutput(tuple->output());
  }
  torch::jit::Module module(c10::QualifiedName("__torch__.neuronspan.Stage"));
  graph.insertInput(0, "self")->setType(module.type());
  for (std::size_t input = found.inputs.size(); input > given.size(); --input) {
    const at::Tensor* const held = weight(found.inputs[input - 1]);
    TORCH_CHECK(held != nullptr, "operation ", begin, " or a later one needs what no earlier one hands on");
    hold(module, graph, input, *held);
  }
  graph.lint();
  const c10::QualifiedName name(*module.type()->name(), "forward");
  module.type()->addMethod(module._ivalue()->compilation_unit()->create_function(name, found.graph));
  return module;
}

}  // namespace neuronspan
