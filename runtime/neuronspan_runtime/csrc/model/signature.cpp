#include "model/signature.h"

#include <c10/util/ArrayRef.h>

#include <sstream>
#include <utility>

#include "check.h"

namespace neuronspan {

namespace {

// "float [batch, 3]"
std::string described(at::ScalarType type, at::IntArrayRef sizes, bool any_batch) {
  std::ostringstream text;
  text << c10::toString(type) << " [";
  for (std::size_t dimension = 0; dimension < sizes.size(); ++dimension) {
    if (dimension > 0) text << ", ";
    if (any_batch && dimension == 0) {
      text << "batch";
    } else {
      text << sizes[dimension];
    }
  }
  text << "]";
  return text.str();
}

bool is_dense(const at::Tensor& tensor) { return tensor.layout() == c10::kStrided && !tensor.is_nested(); }

}  // namespace

Signature::Signature(std::vector<Input> inputs, std::int64_t arguments, std::int64_t states)
    : inputs_(std::move(inputs)), arguments_(static_cast<std::size_t>(arguments)), states_(static_cast<std::size_t>(states)) {
  TORCH_CHECK(arguments >= 0 && states >= 0 && arguments_ + states_ <= inputs_.size(), "a signature of ", inputs_.size(),
              " tensors cannot have ", arguments, " arguments and ", states, " states");
}

Signature signature_of(const std::vector<at::Tensor>& examples, std::vector<std::string> names, std::int64_t arguments,
                       std::int64_t states) {
  TORCH_CHECK(examples.size() == names.size(), "a signature needs one name for each of ", examples.size(), " tensors, got ",
              names.size());
  std::vector<Signature::Input> inputs;
  for (std::size_t position = 0; position < examples.size(); ++position)
    inputs.push_back({std::move(names[position]), examples[position].sizes().vec(), examples[position].scalar_type()});
  return Signature(std::move(inputs), arguments, states);
}

bool Signature::matches(const at::Tensor& given, const Input& expected, bool any_batch) {
  if (!given.defined() || given.scalar_type() != expected.type || !is_dense(given)) return false;
  const at::IntArrayRef sizes = given.sizes();
  const at::IntArrayRef wanted(expected.sizes);
  if (!any_batch) return sizes == wanted;
  return !sizes.empty() && sizes.size() == wanted.size() && sizes.slice(1) == wanted.slice(1);
}

void Signature::refuse(std::size_t position, const at::Tensor& given, bool any_batch) const {
  const Input& expected = inputs_[position];
  TORCH_CHECK(given.defined(), "Incorrect input tensor #", position, " (", expected.name, "): received None, expected ",
              described(expected.type, expected.sizes, any_batch), ". A compiled model takes all of its inputs: give a tensor, or trace the ",
              "model again without this input");
  TORCH_CHECK(is_dense(given), "Incorrect tensor layout at input tensor #", position, " (", expected.name, "): received a ",
              given.is_nested() ? "nested tensor" : c10::str(given.layout(), " tensor"),
              ". A compiled model takes dense tensors: use ", given.is_nested() ? "to_padded_tensor(0)" : "to_dense()");
  const bool type = given.scalar_type() != expected.type;
  const char* const advice =
      type ? "types it was traced with: convert the input, or trace the model again"
           : (any_batch ? "shapes it was traced with, and with dynamic batching any dim 0"
                        : "shapes it was traced with: pad the input, trace the model again, or, where only dim 0 differs, "
                          "use dynamic batching");
  const std::string text = c10::str("Incorrect tensor ", type ? "type" : "shape", " at input tensor #", position, " (",
                                    expected.name, "): received ", described(given.scalar_type(), given.sizes(), false),
                                    ", expected ", described(expected.type, expected.sizes, any_batch),
                                    ". A compiled model takes the ", advice);
  TORCH_CHECK_VALUE(!any_batch, text);
  TORCH_CHECK(false, text);
}

void Signature::check(const std::vector<at::Tensor>& given, bool any_batch) const {
  if (inputs_.empty()) return;
  TORCH_CHECK(given.size() == inputs_.size(), "the compiled model takes ", inputs_.size(), " tensors, got ", given.size());
  for (std::size_t position = 0; position < given.size(); ++position) {
    const bool free = any_batch && position < arguments_;
    if (C10_UNLIKELY(!matches(given[position], inputs_[position], free))) refuse(position, given[position], free);
  }
  if (!any_batch) return;
  for (std::size_t position = 1; position < arguments_; ++position)
    TORCH_CHECK(given[position].size(0) == given[0].size(0), "Inconsistent batch sizes found on inputs: ", inputs_[0].name,
                " has ", given[0].size(0), ", ", inputs_[position].name, " has ", given[position].size(0));
}

std::int64_t Signature::batch() const {
  TORCH_CHECK(arguments_ > 0, "dynamic batching needs a model with inputs whose shapes are known: trace it again");
  TORCH_CHECK(states_ == 0, "dynamic batching is not for a model that keeps state between calls (input_output_aliases)");
  for (std::size_t position = 0; position < arguments_; ++position) {
    const Input& input = inputs_[position];
    TORCH_CHECK(!input.sizes.empty() && input.sizes[0] > 0, "dynamic batching needs the batch in dim 0 of every input, but ",
                input.name, " is ", described(input.type, input.sizes, false));
    TORCH_CHECK(input.sizes[0] == inputs_[0].sizes[0], "Inconsistent batch sizes found on inputs: ", inputs_[0].name,
                " was traced with ", inputs_[0].sizes[0], ", ", input.name, " with ", input.sizes[0]);
  }
  return inputs_[0].sizes[0];
}

}  // namespace neuronspan
