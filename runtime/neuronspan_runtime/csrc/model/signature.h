// What a compiled model takes: a compiled program has fixed shapes and types, and says so when it is given others.
// Law: a call that passes here runs exactly the graph that was recorded; checking costs a comparison per tensor.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace neuronspan {

class Signature {
 public:
  struct Input {
    std::string name;
    std::vector<std::int64_t> sizes;
    at::ScalarType type;
  };

  // Without any input nothing is known and everything is accepted.
  Signature() = default;
  // How many inputs are the caller's own arguments (weights and states follow them), and how many of the last ones are
  // states. Throws unless both counts are within the inputs.
  Signature(std::vector<Input> inputs, std::int64_t arguments, std::int64_t states);

  const std::vector<Input>& inputs() const { return inputs_; }
  std::int64_t caller_arguments() const { return static_cast<std::int64_t>(arguments_); }
  std::int64_t states() const { return static_cast<std::int64_t>(states_); }

  // How many of a call's tensors are the caller's own.
  std::size_t arguments(std::size_t given) const { return inputs_.empty() ? given : arguments_; }
  bool has_states() const { return states_ > 0; }

  // Throws with the input's name, what it is and what it must be, also for one that is not dense; `any_batch` frees dim 0 of the
  // arguments, and a wrong input is then a ValueError.
  void check(const std::vector<at::Tensor>& given, bool any_batch) const;
  // Dim 0 of all arguments, which dynamic batching needs to be one number. Throws when it is not.
  std::int64_t batch() const;

 private:
  static bool matches(const at::Tensor& given, const Input& expected, bool any_batch);
  void refuse(std::size_t position, const at::Tensor& given, bool any_batch) const;

  std::vector<Input> inputs_;
  std::size_t arguments_ = 0;
  std::size_t states_ = 0;
};

// What takes tensors like the examples. Throws unless there is a name for each of them.
Signature signature_of(const std::vector<at::Tensor>& examples, std::vector<std::string> names, std::int64_t arguments,
                       std::int64_t states);

}  // namespace neuronspan
