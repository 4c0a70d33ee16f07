// What a compiled model takes: a compiled program has fixed shapes and types, and says so when it is given others.
// Law: a call that passes here runs exactly the graph that was recorded; checking costs a comparison per tensor.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

namespace neuronspan {

class Signature {
 public:
  // Of every tensor its name, sizes and type; how many are the caller's own arguments (weights and states follow them);
  // how many of the last ones are states. Without any tensor nothing is known and everything is accepted.
  using State = std::tuple<std::vector<std::string>, std::vector<std::vector<std::int64_t>>, std::vector<std::int64_t>,
                           std::int64_t, std::int64_t>;

  Signature() = default;
  // Throws unless there is a name for each example and both counts are within them.
  Signature(const std::vector<at::Tensor>& examples, std::vector<std::string> names, std::int64_t arguments, std::int64_t states);
  explicit Signature(State state);

  State state() const;
  // How many of a call's tensors are the caller's own.
  std::size_t arguments(std::size_t given) const { return inputs_.empty() ? given : arguments_; }
  bool has_states() const { return states_ > 0; }

  // Throws with the input's name, what it is and what it must be; `any_batch` frees dim 0 of the
  // arguments, and a wrong input is then a ValueError.
  void check(const std::vector<at::Tensor>& given, bool any_batch) const;
  // Dim 0 of all arguments, which dynamic batching needs to be one number. Throws when it is not.
  std::int64_t batch() const;

 private:
  struct Input {
    std::string name;
    std::vector<std::int64_t> sizes;
    at::ScalarType type;
  };

  static bool matches(const at::Tensor& given, const Input& expected, bool any_batch);
  void refuse(std::size_t position, const at::Tensor& given, bool any_batch) const;

  std::vector<Input> inputs_;
  std::size_t arguments_ = 0;
  std::size_t states_ = 0;
};

}  // namespace neuronspan
