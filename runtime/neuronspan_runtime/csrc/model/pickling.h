// What torch.jit.save writes of a model, and what torch.jit.load, copying and pickling make a model from.
// Law: unpacked(packed(saved)) is what was saved.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "model/signature.h"

namespace neuronspan {

// Everything of a model that is in its file.
struct Saved {
  std::vector<at::Tensor> archives;  // uint8, one for each stage
  std::int64_t cores_per_model = 1;
  std::string metadata;  // JSON, the tracer's
  bool lazy = false;     // loaded at the first use
  bool async = false;    // loaded in the background
  bool dynamic = false;  // dynamic batching
  Signature signature;
};

namespace pickling {

// The same in types that torch pickles. Tuples of at most three: torch keeps so many values in place, and compilers take
// the fourth of a longer one for an access behind them (-Warray-bounds).
using PackedInputs = std::tuple<std::vector<std::string>, std::vector<std::vector<std::int64_t>>, std::vector<std::int64_t>>;
using PackedSignature = std::tuple<PackedInputs, std::int64_t, std::int64_t>;
using PackedOptions = std::tuple<bool, bool, bool>;
using PackedCode = std::tuple<std::vector<at::Tensor>, std::int64_t, std::string>;
using Packed = std::tuple<PackedCode, PackedOptions, PackedSignature>;

Packed packed(Saved saved);
// Archives come back to the host: torch.jit.load(map_location="neuron") has put them on the device.
Saved unpacked(Packed packed);

}  // namespace pickling

}  // namespace neuronspan
