// Dynamic batching: a call with any number of rows becomes calls of the compiled size, along dim 0.
// Law: every run has exactly the compiled shapes; results are those of the single runs, one below the other.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace neuronspan {

using Run = std::function<std::vector<at::Tensor>(std::vector<c10::IValue>)>;

// Cuts the first `arguments` of the inputs, which are on the host, into pieces of `batch` rows, fills the last one up
// with zeros, and drops what was computed for the filling. No row at all is one run of filling.
// Throws when an output does not have the batch in dim 0.
std::vector<at::Tensor> in_batches(const std::vector<c10::IValue>& inputs, std::size_t arguments, std::int64_t batch, const Run& run);

}  // namespace neuronspan
