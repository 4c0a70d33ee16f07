// What a loaded model holds: the cores of its replicas, HBM for its weights, and a place in each core's table.
// Law: it is made whole or not at all, and gives everything back when it goes; calls in flight keep it until they end.
#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "device/placement.h"
#include "graph/compiled.h"
#include "hbm/arena.h"
#include "model/signature.h"
#include "reporting/telemetry.h"

namespace neuronspan {

// Which replica answers a call, and where its outputs go: to that replica's core, or to the CPU.
struct Route {
  placement::CoreSpan span;
  bool outputs_stay;
};

// What each stage is to last on its core, in nanoseconds; as many as stages.
using Durations = std::vector<std::int64_t>;

class Loaded {
 public:
  // Throws with the real runtime's texts when a core or the HBM is not there.
  Loaded(Stages stages, const placement::Request& request, int cores_per_model, const std::string& metadata);
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;
  ~Loaded();

  const Stages& stages() const { return stages_; }
  const std::vector<placement::CoreSpan>& replicas() const { return claim_.replicas(); }
  // The replica on the core of the caller's arguments, else the next in turn; always the first one when there are states,
  // which are there and only there. Outputs stay when every input is on the device: one CPU input sends all of them to the
  // CPU. Throws, with the real runtime's text, for an input on another core.
  Route route(const std::vector<at::Tensor>& inputs, const Signature& signature);
  // What its executions are to last; nullptr = nobody said it, and they last what the CPU needs.
  std::shared_ptr<const Durations> durations() const;
  // Throws unless there is one for each stage.
  void set_durations(Durations durations);
  // Counts a call as refused for its input, on the first replica's core.
  void count_incorrect_input() const noexcept;

 private:
  // The replica that begins on this core, or nullptr.
  const placement::CoreSpan* replica_on(int core) const;
  const placement::CoreSpan& next_replica();

  Stages stages_;
  placement::Claim claim_;
  std::vector<HbmCharge> charges_;
  std::vector<telemetry::Listing> listings_;
  std::atomic<std::size_t> next_{0};
  mutable std::mutex durations_mutex_;
  std::shared_ptr<const Durations> durations_;
};

// A load in the background: what it made, once `ended` says so.
struct BackgroundLoad {
  Stages stages;
  std::shared_ptr<Loaded> loaded;
  std::shared_future<void> ended;
};

// Begins one, of a request that no longer depends on the process default. It gives up when nobody keeps it.
std::shared_ptr<BackgroundLoad> load_in_background(const std::vector<at::Tensor>& archives, const placement::Request& request,
                                                   int cores_per_model, const std::string& metadata);

}  // namespace neuronspan
