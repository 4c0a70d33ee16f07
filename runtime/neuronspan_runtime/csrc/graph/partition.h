// NeuronCore Pipeline: a compiled model cut into stages.
// Law: stages compute the whole's results to the bit, or there are none.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace neuronspan {

// The archives of the stages that begin at operation 0 and at each boundary. Throws, saying why, when the stages do
// not compute what the model does on the example.
std::vector<at::Tensor> cut(const at::Tensor& archive, const std::vector<at::Tensor>& example,
                            const std::vector<std::int64_t>& boundaries);

}  // namespace neuronspan
