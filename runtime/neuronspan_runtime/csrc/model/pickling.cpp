#include "model/pickling.h"

#include <utility>

#include "check.h"

namespace neuronspan::pickling {

namespace {

PackedSignature packed(const Signature& signature) {
  PackedInputs inputs;
  auto& [names, sizes, types] = inputs;
  for (const Signature::Input& input : signature.inputs()) {
    names.push_back(input.name);
    sizes.push_back(input.sizes);
    types.push_back(static_cast<std::int64_t>(input.type));
  }
  return {std::move(inputs), signature.caller_arguments(), signature.states()};
}

Signature unpacked(PackedSignature packed) {
  auto& [columns, arguments, states] = packed;
  auto& [names, sizes, types] = columns;
  TORCH_CHECK(names.size() == sizes.size() && names.size() == types.size(), "the file's list of what the model takes is damaged: ",
              names.size(), " names, ", sizes.size(), " shapes, ", types.size(), " types. Trace the model again");
  std::vector<Signature::Input> inputs;
  for (std::size_t position = 0; position < names.size(); ++position) {
    TORCH_CHECK(types[position] >= 0 && types[position] < static_cast<std::int64_t>(at::ScalarType::NumOptions), "the file says that ",
                names[position], " has type ", types[position], ", which this torch does not know. Trace the model again");
    inputs.push_back({std::move(names[position]), std::move(sizes[position]), static_cast<at::ScalarType>(types[position])});
  }
  return Signature(std::move(inputs), arguments, states);
}

}  // namespace

Packed packed(Saved saved) {
  return {PackedCode(std::move(saved.archives), saved.cores_per_model, std::move(saved.metadata)),
          PackedOptions(saved.lazy, saved.async, saved.dynamic), packed(saved.signature)};
}

Saved unpacked(Packed packed) {
  auto& [code, options, signature] = packed;
  Saved saved;
  std::tie(saved.archives, saved.cores_per_model, saved.metadata) = std::move(code);
  std::tie(saved.lazy, saved.async, saved.dynamic) = options;
  saved.signature = unpacked(std::move(signature));
  for (at::Tensor& archive : saved.archives) archive = archive.cpu();
  return saved;
}

}  // namespace neuronspan::pickling
