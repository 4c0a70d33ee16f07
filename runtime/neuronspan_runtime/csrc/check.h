// The torch version switch and the checks on system calls; every other check is TORCH_CHECK itself.
#pragma once

#include <c10/util/Exception.h>
#include <torch/version.h>

#include <cerrno>
#include <cstring>

// True when the torch we compile against is `major.minor` or newer. Used only where an interface really differs.
#define NEURONSPAN_TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

// Turns a failed system call into a torch error that carries the system's own words.
#define NEURONSPAN_CHECK_SYSTEM(condition, ...) \
  TORCH_CHECK((condition), "neuronspan: ", __VA_ARGS__, ": ", std::strerror(errno))
