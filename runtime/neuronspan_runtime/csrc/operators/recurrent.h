// LSTM and GRU cells. torch hands the pointwise half of a cell to fused kernels on every accelerator, and there is no
// CPU version of them to fall back on. Gates are laid out as torch.nn documents: LSTM i,f,g,o; GRU r,z,n.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <tuple>

namespace neuronspan::recurrent {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

// gates [batch, 4*hidden], cell [batch, hidden] -> (hidden, cell, workspace). The workspace keeps the activated gates.
std::tuple<Tensor, Tensor, Tensor> lstm_cell(const Tensor& input_gates, const Tensor& hidden_gates, const Tensor& cell,
                                             const OptionalTensor& input_bias, const OptionalTensor& hidden_bias);
// -> (gradient of gates, of the old cell, of each bias)
std::tuple<Tensor, Tensor, Tensor> lstm_cell_backward(const OptionalTensor& grad_hidden, const OptionalTensor& grad_cell,
                                                      const Tensor& old_cell, const Tensor& new_cell,
                                                      const Tensor& workspace, bool has_bias);
// gates [batch, 3*hidden], hidden [batch, hidden] -> (hidden, workspace). The workspace keeps r, z, n, h, W_hn*h + b_hn.
std::tuple<Tensor, Tensor> gru_cell(const Tensor& input_gates, const Tensor& hidden_gates, const Tensor& hidden,
                                    const OptionalTensor& input_bias, const OptionalTensor& hidden_bias);
// -> (gradient of the input gates, of the hidden gates, of the old hidden state, of both biases)
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> gru_cell_backward(const Tensor& grad_hidden, const Tensor& workspace, bool has_bias);

}  // namespace neuronspan::recurrent
