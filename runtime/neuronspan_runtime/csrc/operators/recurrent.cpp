#include "operators/recurrent.h"

#include <ATen/ATen.h>

#include "operators/alias.h"
#include "operators/kernels.h"

namespace neuronspan::recurrent {

namespace {

Tensor with_bias(const Tensor& gates, const OptionalTensor& bias) {
  if (!bias || !bias->defined()) return host_alias(gates);
  kernels::check_same_device(gates, *bias);
  return host_alias(gates) + host_alias(*bias);
}

Tensor or_zeros(const OptionalTensor& gradient, const Tensor& like) {
  return gradient && gradient->defined() ? host_alias(*gradient) : at::zeros_like(like);
}

}  // namespace

std::tuple<Tensor, Tensor, Tensor> lstm_cell(const Tensor& input_gates, const Tensor& hidden_gates, const Tensor& cell,
                                             const OptionalTensor& input_bias, const OptionalTensor& hidden_bias) {
  kernels::check_same_device(input_gates, hidden_gates);
  kernels::check_same_device(input_gates, cell);
  const at::AutoDispatchBelowADInplaceOrView below;
  const auto gates = (with_bias(input_gates, input_bias) + with_bias(hidden_gates, hidden_bias)).chunk(4, 1);
  const Tensor in = gates[0].sigmoid();
  const Tensor forget = gates[1].sigmoid();
  const Tensor candidate = gates[2].tanh();
  const Tensor out = gates[3].sigmoid();
  const Tensor new_cell = forget * host_alias(cell) + in * candidate;
  const c10::DeviceIndex index = input_gates.device().index();
  return {adopt(out * new_cell.tanh(), index), adopt(new_cell, index), adopt(at::cat({in, forget, candidate, out}, 1), index)};
}

std::tuple<Tensor, Tensor, Tensor> lstm_cell_backward(const OptionalTensor& grad_hidden, const OptionalTensor& grad_cell,
                                                      const Tensor& old_cell, const Tensor& new_cell,
                                                      const Tensor& workspace, bool has_bias) {
  const at::AutoDispatchBelowADInplaceOrView below;
  const auto gates = host_alias(workspace).chunk(4, 1);
  const Tensor &in = gates[0], &forget = gates[1], &candidate = gates[2], &out = gates[3];
  const Tensor squashed = host_alias(new_cell).tanh();
  const Tensor hidden_gradient = or_zeros(grad_hidden, squashed);
  const Tensor cell_gradient = or_zeros(grad_cell, squashed) + hidden_gradient * out * (1 - squashed * squashed);
  const Tensor gate_gradient = at::cat({cell_gradient * candidate * in * (1 - in),
                                        cell_gradient * host_alias(old_cell) * forget * (1 - forget),
                                        cell_gradient * in * (1 - candidate * candidate),
                                        hidden_gradient * squashed * out * (1 - out)},
                                       1);
  const c10::DeviceIndex index = workspace.device().index();
  return {adopt(gate_gradient, index), adopt(cell_gradient * forget, index),
          has_bias ? adopt(gate_gradient.sum(0), index) : Tensor()};
}

std::tuple<Tensor, Tensor> gru_cell(const Tensor& input_gates, const Tensor& hidden_gates, const Tensor& hidden,
                                    const OptionalTensor& input_bias, const OptionalTensor& hidden_bias) {
  kernels::check_same_device(input_gates, hidden_gates);
  kernels::check_same_device(input_gates, hidden);
  const at::AutoDispatchBelowADInplaceOrView below;
  const auto input = with_bias(input_gates, input_bias).chunk(3, 1);
  const auto recurrent = with_bias(hidden_gates, hidden_bias).chunk(3, 1);
  const Tensor old_hidden = host_alias(hidden);
  const Tensor reset = (input[0] + recurrent[0]).sigmoid();
  const Tensor update = (input[1] + recurrent[1]).sigmoid();
  const Tensor candidate = (input[2] + reset * recurrent[2]).tanh();
  const c10::DeviceIndex index = input_gates.device().index();
  return {adopt(candidate + update * (old_hidden - candidate), index),
          adopt(at::cat({reset, update, candidate, old_hidden, recurrent[2]}, 1), index)};
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> gru_cell_backward(const Tensor& grad_hidden, const Tensor& workspace, bool has_bias) {
  const at::AutoDispatchBelowADInplaceOrView below;
  const auto kept = host_alias(workspace).chunk(5, 1);
  const Tensor &reset = kept[0], &update = kept[1], &candidate = kept[2], &old_hidden = kept[3], &recurrent = kept[4];
  const Tensor gradient = host_alias(grad_hidden);
  const Tensor candidate_gradient = gradient * (1 - update) * (1 - candidate * candidate);
  const Tensor reset_gradient = candidate_gradient * recurrent * reset * (1 - reset);
  const Tensor update_gradient = gradient * (old_hidden - candidate) * update * (1 - update);
  const Tensor input_gradient = at::cat({reset_gradient, update_gradient, candidate_gradient}, 1);
  const Tensor hidden_gradient = at::cat({reset_gradient, update_gradient, candidate_gradient * reset}, 1);
  const c10::DeviceIndex index = workspace.device().index();
  return {adopt(input_gradient, index), adopt(hidden_gradient, index), adopt(gradient * update, index),
          has_bias ? adopt(input_gradient.sum(0), index) : Tensor(),
          has_bias ? adopt(hidden_gradient.sum(0), index) : Tensor()};
}

}  // namespace neuronspan::recurrent
