// A compiled model as a row of operations that can be taken apart: one graph without calls, weights as its inputs.
// Law: pieces hold copies of the operations in their order and nothing else, so together they compute what the whole does.
#pragma once

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

#include <cstddef>
#include <memory>
#include <unordered_map>
#include <vector>

namespace neuronspan {

class Program {
 public:
  using Value = torch::jit::Value;
  using Node = torch::jit::Node;

  // Some operations as a graph of their own.
  struct Piece {
    std::shared_ptr<torch::jit::Graph> graph;
    std::vector<Value*> inputs;  // what the program calls the graph's inputs
  };

  // Reads `forward`. Throws for a module that sets its attributes or holds objects.
  explicit Program(const torch::jit::Module& module);

  // Operations in order; constants are none, every piece has its own.
  std::size_t size() const { return nodes_.size(); }
  Node& operation(std::size_t index) const { return *nodes_[index]; }
  // The model's own inputs, without weights.
  const std::vector<Value*>& inputs() const { return inputs_; }
  // The weight behind a value, or null.
  const at::Tensor* weight(const Value* value) const;

  // Position of the last operation that uses the value; size() = the model returns it, -1 = nobody does.
  std::ptrdiff_t last_use(const Value* value) const;
  // Values from before `boundary` that are needed behind it, in the order in which they came to be.
  std::vector<Value*> carried(std::size_t boundary) const;

  // Operations [begin, end) as a graph from `given`, and whatever else they need, to `wanted`.
  Piece piece(std::size_t begin, std::size_t end, const std::vector<Value*>& given,
              const std::vector<Value*>& wanted) const;
  // Operations [begin, end) as a module from carried(begin) to carried(end), or from and to what the model takes and returns.
  torch::jit::Module stage(std::size_t begin, std::size_t end) const;

 private:
  void lower(Value* module, const c10::IValue& content);
  void lower_attribute(Node* access, const c10::IValue& content);
  std::ptrdiff_t position_of(const Node* user) const;

  std::shared_ptr<torch::jit::Graph> graph_;
  std::vector<Value*> inputs_;
  std::unordered_map<const Value*, at::Tensor> weights_;
  std::unordered_map<const c10::TensorImpl*, Value*> values_of_weights_;
  std::vector<Node*> nodes_;
  std::unordered_map<const Node*, std::ptrdiff_t> positions_;
};

}  // namespace neuronspan
