// What each operation of a compiled model costs, and what a cut before it would cost.
#pragma once

#include <ATen/core/List.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <tuple>
#include <vector>

namespace neuronspan {

// For each operation in order: the nanoseconds it takes one thread; the bytes of the tensors that a cut before it would hand
// on; whether it computes (it is not only a view or bookkeeping, which makes no stage).
using Profile = std::tuple<std::vector<std::int64_t>, std::vector<std::int64_t>, c10::List<bool>>;

// Runs the archive's model on the example, operation by operation; the best of several passes counts. Throws when the model
// cannot be taken apart, or whatever it throws itself.
Profile measure(const at::Tensor& archive, const std::vector<at::Tensor>& example);

}  // namespace neuronspan
