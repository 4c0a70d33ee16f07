// Which NeuronCores a model gets: least used first, unless groups or an explicit default say otherwise.
// Law: choosing and counting are one step, and a claim gives its counts back when it goes.
#pragma once

#include <c10/util/Exception.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace neuronspan::placement {

// Consecutive cores of this process, numbered from 0.
struct CoreSpan {
  int first;
  int count;
};

// What a caller asks for. start -1 = least used; count -1 = exactly what the model needs.
struct Request {
  std::int64_t start = -1;
  std::int64_t count = -1;
  bool settled = false;  // means what it says, whatever the process default is
  bool is_default() const { return start < 0 && count < 0; }
};

// A needed core is not owned by this process; the text is the real runtime's.
class NoSuchCore final : public c10::Error {
 public:
  NoSuchCore(c10::SourceLocation where, std::string text, std::int64_t core) : c10::Error(where, std::move(text)), core(core) {}
  const std::int64_t core;  // the first one that is missing
};

// Pure: the spans of the replicas of a model that needs `per_model` cores, given each core's usage and the group sizes.
// Throws NoSuchCore.
std::vector<CoreSpan> choose(const std::vector<std::int64_t>& usage, const std::vector<std::int64_t>& groups,
                             const Request& request, int per_model);

// The replicas of one loaded model; counts as one use of each of their cores while alive.
class Claim {
 public:
  // Falls back to the process default when the request asks for nothing.
  Claim(const Request& request, int per_model);
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  ~Claim();
  const std::vector<CoreSpan>& replicas() const { return replicas_; }

 private:
  std::vector<CoreSpan> replicas_;
};

// Throws unless these can be sizes of consecutive NeuronCore groups from core 0 on: positive, and no more than the cores in
// sum. Empty = no groups.
void check_groups(const std::vector<std::int64_t>& sizes, std::int64_t cores);
// Forgets all usage, and places in these groups from now on; called when cores are configured, with checked sizes.
void reset(int cores, std::vector<std::int64_t> groups);
std::vector<std::int64_t> usage();
// The process-wide default of later loads; returns the old one.
Request set_default(Request request);
Request get_default();

// Held over a fork, so that a child finds the books complete and unlocked.
void before_fork();
void after_fork();

}  // namespace neuronspan::placement
