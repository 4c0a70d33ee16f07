#include "model/batching.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "check.h"

namespace neuronspan {

namespace {

// `batch` rows from `first` on, zeros where there are no more.
at::Tensor rows_of(const at::Tensor& all, std::int64_t first, std::int64_t batch) {
  const std::int64_t available = std::min(batch, all.size(0) - first);
  const at::Tensor part = all.narrow(0, first, available);
  if (available == batch) return part;
  std::vector<std::int64_t> sizes = all.sizes().vec();
  sizes[0] = batch;
  at::Tensor filled = at::zeros(sizes, all.options());
  if (available > 0) filled.narrow(0, 0, available).copy_(part);
  return filled;
}

void check_output(const at::Tensor& output, std::size_t position, std::int64_t batch) {
  TORCH_CHECK(output.dim() > 0 && output.size(0) == batch, "dynamic batching needs the batch in dim 0 of every output, but "
              "output ", position, " of a run of ", batch, " rows is ", output.sizes());
}

}  // namespace

std::vector<at::Tensor> in_batches(const std::vector<c10::IValue>& inputs, std::size_t arguments, std::int64_t batch, const Run& run) {
  const c10::NoGradGuard no_gradient;
  const std::int64_t rows = inputs.front().toTensor().size(0);
  std::vector<std::vector<at::Tensor>> parts;
  for (std::int64_t first = 0; first == 0 || first < rows; first += batch) {
    std::vector<c10::IValue> piece;
    for (std::size_t position = 0; position < inputs.size(); ++position)
      piece.push_back(position < arguments ? rows_of(inputs[position].toTensor(), first, batch) : inputs[position]);
    const std::vector<at::Tensor> outputs = run(std::move(piece));
    parts.resize(outputs.size());
    for (std::size_t position = 0; position < outputs.size(); ++position) {
      check_output(outputs[position], position, batch);
      parts[position].push_back(outputs[position]);
    }
  }
  std::vector<at::Tensor> whole;
  for (const std::vector<at::Tensor>& pieces : parts) whole.push_back(at::cat(pieces, 0).narrow(0, 0, rows));
  return whole;
}

}  // namespace neuronspan
