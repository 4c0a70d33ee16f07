// Which views a compiled model follows: torch notes of a tensor what it is a view of, which costs as much as a small
// operator. Law: a view is followed wherever a result, a version or what is written could tell.
#pragma once

#include <ATen/core/ivalue.h>
#include <c10/core/DispatchKeySet.h>
#include <torch/csrc/jit/ir/ir.h>

namespace neuronspan {

// The key that is hidden from an operator whose views are not followed.
inline constexpr c10::DispatchKeySet kViews(c10::DispatchKey::ADInplaceOrView);

// Whether a module's `forward` has to follow views: when a weight requires a gradient, or when it writes in place.
bool follows_views(const c10::IValue& self, const torch::jit::Graph& forward);

// Lets linear layers in a graph that follows views do without where nothing can tell: see `linear` in the source.
void spare_linear_layers(torch::jit::Graph& graph);

}  // namespace neuronspan
