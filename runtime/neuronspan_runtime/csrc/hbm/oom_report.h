// What is said when HBM is exhausted: the error's text, and the lines that the real runtime logs on standard error.
// The forms are those of AWS's page on device memory and of users' reports (nrt_tensor_allocate, Could not load the model).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "hbm/arena.h"

namespace neuronspan {

// How the node numbers its cores, and whether exhaustion is logged at all.
struct OomLogging {
  int cores_per_device = 1;
  int cores_per_stack = 1;
  int logical_core_size = 1;
  bool enabled = true;
};
void set_oom_logging(const OomLogging& logging);

// One request that did not fit. Cores are the node's numbers.
struct OomReport {
  struct Account {
    int core;
    std::size_t tensors;
    std::size_t models;
    std::size_t code;
  };
  int core;
  std::size_t bytes;
  HbmUse use;
  std::string name;               // of the core, for the error
  HbmStats stats;                 // of the core
  std::vector<Account> accounts;  // this process's cores on the stack
};

// "1.50 GiB", for messages.
std::string readable_bytes(std::size_t bytes);
std::string oom_text(const OomReport& report);
void log_oom(const OomReport& report);

}  // namespace neuronspan
