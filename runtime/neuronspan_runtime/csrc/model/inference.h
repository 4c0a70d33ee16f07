// One call of a loaded model: inputs to the host, through the stages of one replica, outputs back to where inputs were.
// Law: an output shares no bytes with an input or with the weights; where outputs go is all or nothing.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "model/loaded.h"
#include "model/signature.h"

namespace neuronspan {

// Answers inputs that passed the signature's check; `dynamic` cuts them into batches of the traced size. Throws, with the
// real runtime's text, for an input on another core than the model's.
std::vector<at::Tensor> infer(Loaded& loaded, const std::vector<at::Tensor>& inputs, const Signature& signature, bool dynamic);

}  // namespace neuronspan
