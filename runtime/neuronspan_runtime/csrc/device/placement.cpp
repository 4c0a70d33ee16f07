#include "device/placement.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <numeric>
#include <tuple>
#include <utility>

#include <c10/util/ArrayRef.h>

#include "check.h"

namespace neuronspan::placement {

namespace {

struct State {
  std::mutex mutex;
  std::vector<std::int64_t> usage;
  std::vector<std::int64_t> groups;
  Request fallback;
};

// Never destroyed: models may be freed after static destructors would have run.
State& state() {
  static State* const instance = std::make_unique<State>().release();
  return *instance;
}

void check_owned(std::int64_t first, std::int64_t count, std::int64_t cores) {
  if (first >= 0 && first + count <= cores) return;
  // The first core that does not exist is the one the real runtime names.
  const std::int64_t missing = first >= cores ? first : cores;
  throw NoSuchCore({__func__, __FILE__, static_cast<std::uint32_t>(__LINE__)},
                   c10::str("Could not load the model status=2 message=Could not find VNC id ", missing,
                            ": the model was to be loaded on ", count, " NeuronCores from index ", first, ", but this process owns ",
                            cores, " (0 to ", cores - 1,
                            "). Give the process more cores (NEURON_RT_NUM_CORES, NEURON_RT_VISIBLE_CORES) or place it elsewhere"),
                   missing);
}

// First core of the span whose busiest core is least used; then the least used in sum; then the lowest.
int least_used(const std::vector<std::int64_t>& usage, const std::vector<CoreSpan>& spans) {
  const auto load = [&](const CoreSpan& span) {
    const auto begin = usage.begin() + span.first;
    const auto end = begin + span.count;
    return std::make_tuple(*std::max_element(begin, end), std::accumulate(begin, end, std::int64_t(0)), span.first);
  };
  const auto less = [&](const CoreSpan& a, const CoreSpan& b) { return load(a) < load(b); };
  return std::min_element(spans.begin(), spans.end(), less)->first;
}

// Groups that suit the model: those it fits in, else (it spills over) every group from which enough cores follow.
std::vector<CoreSpan> suitable_groups(const std::vector<std::int64_t>& groups, int cores, int per_model) {
  std::vector<CoreSpan> fitting;
  std::vector<CoreSpan> spilling;
  int first = 0;
  for (const std::int64_t size : groups) {
    const CoreSpan group{first, static_cast<int>(size)};
    if (group.count >= per_model) fitting.push_back(group);
    if (first + per_model <= cores) spilling.push_back(group);
    first += group.count;
  }
  return fitting.empty() ? spilling : fitting;
}

}  // namespace

std::vector<CoreSpan> choose(const std::vector<std::int64_t>& usage, const std::vector<std::int64_t>& groups,
                             const Request& request, int per_model) {
  const auto cores = static_cast<int>(usage.size());
  const std::int64_t wanted = request.count < 0 ? per_model : request.count;
  TORCH_CHECK(wanted >= per_model, "Could not load the model status=2 message=the model needs ", per_model,
              " NeuronCores, but nc_count=", request.count, " was asked for. Use nc_count=-1 or at least ", per_model);
  check_owned(std::max<std::int64_t>(request.start, 0), wanted, cores);
  const auto replicas = static_cast<int>(wanted / per_model);
  const int count = replicas * per_model;
  auto start = static_cast<int>(request.start);
  if (request.start < 0) {
    std::vector<CoreSpan> candidates;
    if (request.is_default()) candidates = suitable_groups(groups, cores, per_model);
    if (candidates.empty())
      for (int first = 0; first + count <= cores; ++first) candidates.push_back({first, count});
    start = least_used(usage, candidates);
  }
  std::vector<CoreSpan> spans;
  for (int replica = 0; replica < replicas; ++replica) spans.push_back({start + replica * per_model, per_model});
  return spans;
}

Claim::Claim(const Request& request, int per_model) {
  State& shared = state();
  std::lock_guard<std::mutex> lock(shared.mutex);
  replicas_ = choose(shared.usage, shared.groups, request.is_default() && !request.settled ? shared.fallback : request, per_model);
  for (const CoreSpan& span : replicas_)
    for (int index = span.first; index < span.first + span.count; ++index) ++shared.usage[index];
}

Claim::~Claim() {
  State& shared = state();
  std::lock_guard<std::mutex> lock(shared.mutex);
  for (const CoreSpan& span : replicas_)
    for (int index = span.first; index < span.first + span.count; ++index) --shared.usage[index];
}

void check_groups(const std::vector<std::int64_t>& sizes, std::int64_t cores) {
  std::int64_t left = cores;
  for (const std::int64_t size : sizes) {
    TORCH_CHECK(size > 0 && size <= left, "NeuronCore groups must be positive and fit the ", cores,
                " NeuronCores of this process, got ", c10::IntArrayRef(sizes));
    left -= size;
  }
}

void reset(int cores, std::vector<std::int64_t> groups) {
  State& shared = state();
  std::lock_guard<std::mutex> lock(shared.mutex);
  shared.usage.assign(static_cast<std::size_t>(cores), 0);
  shared.groups = std::move(groups);
}

std::vector<std::int64_t> usage() {
  State& shared = state();
  std::lock_guard<std::mutex> lock(shared.mutex);
  return shared.usage;
}

Request set_default(Request request) {
  State& shared = state();
  std::lock_guard<std::mutex> lock(shared.mutex);
  return std::exchange(shared.fallback, request);
}

Request get_default() {
  State& shared = state();
  std::lock_guard<std::mutex> lock(shared.mutex);
  return shared.fallback;
}

void before_fork() { state().mutex.lock(); }

void after_fork() { state().mutex.unlock(); }

}  // namespace neuronspan::placement
