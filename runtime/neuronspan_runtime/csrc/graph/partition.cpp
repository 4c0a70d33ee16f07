#include "graph/partition.h"

#include <algorithm>
#include <cstring>
#include <sstream>
#include <utility>

#include "check.h"
#include "graph/compiled.h"
#include "graph/example.h"
#include "graph/executor.h"
#include "graph/program.h"

namespace neuronspan {

namespace {

// torch optimises a graph after its first run; from the third on nothing changes any more.
constexpr int kComparedRuns = 3;

bool same_bits(const at::Tensor& left, const at::Tensor& right) {
  if (left.layout() != at::kStrided || right.layout() != at::kStrided) return false;
  if (left.scalar_type() != right.scalar_type() || left.sizes() != right.sizes() || left.strides() != right.strides()) return false;
  const at::Tensor first = left.resolve_conj().resolve_neg().contiguous();
  const at::Tensor second = right.resolve_conj().resolve_neg().contiguous();
  return first.nbytes() == 0 || std::memcmp(first.const_data_ptr(), second.const_data_ptr(), first.nbytes()) == 0;
}

std::vector<at::Tensor> through(const Stages& stages, std::vector<c10::IValue> values) {
  for (std::size_t stage = 0; stage + 1 < stages.size(); ++stage)
    values = stages[stage]->module.forward(std::move(values)).toTupleRef().elements().vec();
  return tensors_of(stages.back()->module.forward(std::move(values)));
}

void check_same(torch::jit::Module& whole, const Stages& stages, const std::vector<at::Tensor>& example) {
  SameRandomNumbers random;
  for (int run = 0; run < kComparedRuns; ++run) {
    const std::vector<at::Tensor> expected = tensors_of(whole.forward(copies_of(example)));
    random.rewind();
    const std::vector<at::Tensor> found = through(stages, copies_of(example));
    random.rewind();
    TORCH_CHECK(std::equal(expected.begin(), expected.end(), found.begin(), found.end(), same_bits),
                "its stages do not compute the same bits as the whole");
  }
}

}  // namespace

std::vector<at::Tensor> cut(const at::Tensor& archive, const std::vector<at::Tensor>& example,
                            const std::vector<std::int64_t>& boundaries) {
  const c10::NoGradGuard no_gradient;
  const std::shared_ptr<Compiled> whole = read_compiled(archive);
  const Program program(whole->module);
  std::vector<at::Tensor> archives;
  Stages stages;
  std::size_t begin = 0;
  for (std::size_t stage = 0; stage <= boundaries.size(); ++stage) {
    const std::size_t end = stage < boundaries.size() ? static_cast<std::size_t>(boundaries[stage]) : program.size();
    TORCH_CHECK(begin < end && end <= program.size(), "boundaries of ", program.size(), " operations must ascend, got ",
                c10::IntArrayRef(boundaries));
    std::ostringstream written;
    program.stage(begin, end).save(written);
    archives.push_back(blob_of(written.str()));
    stages.push_back(read_compiled(archives.back()));
    begin = end;
  }
  check_same(whole->module, stages, example);
  return archives;
}

}  // namespace neuronspan
