#include "hbm/oom_report.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <mutex>

#include "reporting/runtime_log.h"

namespace neuronspan {

namespace {

struct OomColumn {
  const char* upper;
  const char* lower;
  int width;
};

// What this runtime does not have (rings, scratchpads) is there and zero: programs find columns by position.
constexpr std::array<OomColumn, 14> kOomColumns{{{"", "TOTAL", 10},
                                                 {"Model", "Code", 10},
                                                 {"Model", "Constants", 10},
                                                 {"", "Tensors", 10},
                                                 {"Shared", "Scratchpad", 10},
                                                 {"", "Scratchpad", 10},
                                                 {"", "Runtime", 10},
                                                 {"DMA Rings", "IO", 10},
                                                 {"DMA Rings", "Spill", 10},
                                                 {"DMA Rings", "Collectives", 11},
                                                 {"DMA Rings", "Runtime", 10},
                                                 {"", "Collectives", 11},
                                                 {"", "XT CC", 10},
                                                 {"Profiler", "Buffers", 10}}};
constexpr std::size_t kTotalColumn = 0;
constexpr std::size_t kCodeColumn = 1;
constexpr std::size_t kConstantsColumn = 2;
constexpr std::size_t kTensorsColumn = 3;
constexpr int kOomLabelWidth = 14;

std::mutex g_logging_mutex;
OomLogging g_logging;

OomLogging oom_logging() {
  const std::lock_guard<std::mutex> lock(g_logging_mutex);
  return g_logging;
}

// Three decimals and the unit without a space, as the runtime's log has it; 1GB is 2^30 there.
std::string logged_bytes(std::size_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KB", "MB", "GB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, "%.3f%s", value, kUnits[unit]);
  return text;
}

std::string centered(const std::string& text, int width) {
  const int left = std::max(0, (width - static_cast<int>(text.size())) / 2);
  const int right = std::max(0, width - left - static_cast<int>(text.size()));
  return std::string(static_cast<std::size_t>(left), ' ') + text + std::string(static_cast<std::size_t>(right), ' ');
}

std::string oom_row(std::string label, const std::array<std::string, kOomColumns.size()>& cells) {
  label.resize(static_cast<std::size_t>(kOomLabelWidth), ' ');
  std::string row = label;
  for (std::size_t column = 0; column < cells.size(); ++column) row += "|" + centered(cells[column], kOomColumns[column].width);
  return row + "|\n";
}

std::string oom_row(const std::string& label, const OomReport::Account& account) {
  std::array<std::string, kOomColumns.size()> cells;
  cells.fill(logged_bytes(0));
  cells[kTotalColumn] = logged_bytes(account.tensors + account.models + account.code);
  cells[kCodeColumn] = logged_bytes(account.code);
  cells[kConstantsColumn] = logged_bytes(account.models);
  cells[kTensorsColumn] = logged_bytes(account.tensors);
  return oom_row(label, cells);
}

std::string oom_table(const OomReport& report, const OomLogging& node) {
  std::array<std::string, kOomColumns.size()> upper;
  std::array<std::string, kOomColumns.size()> lower;
  for (std::size_t column = 0; column < kOomColumns.size(); ++column) {
    upper[column] = kOomColumns[column].upper;
    lower[column] = kOomColumns[column].lower;
  }
  OomReport::Account sum{};
  std::string cores;
  for (const OomReport::Account& account : report.accounts) {
    sum.tensors += account.tensors;
    sum.models += account.models;
    sum.code += account.code;
    cores += oom_row("\\_NC " + std::to_string(account.core % node.cores_per_device), account);
  }
  const std::string overall = "ND " + std::to_string(report.core / node.cores_per_device) + " Overall";
  return oom_row("", upper) + oom_row("", lower) + oom_row(overall, sum) + cores;
}

const char* logged_use(HbmUse use) {
  if (use == HbmUse::tensors) return "tensors";
  return use == HbmUse::models ? "model constants" : "model code";
}

std::string cores_of_stack(const OomReport& report, const OomLogging& node) {
  std::string names;
  const int first = report.core / node.cores_per_stack * node.cores_per_stack;
  for (int core = first; core < first + node.cores_per_stack; ++core)
    names += (core > first ? " and NC " : "NC ") + std::to_string(core % node.cores_per_device);
  return names;
}

}  // namespace

void set_oom_logging(const OomLogging& logging) {
  const std::lock_guard<std::mutex> lock(g_logging_mutex);
  g_logging = logging;
}

std::string readable_bytes(std::size_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.2f %s", value, kUnits[unit]);
  return text;
}

// The first words are what code written for the real runtime looks for; the numbers and the way out are ours.
std::string oom_text(const OomReport& report) {
  const HbmStats& stats = report.stats;
  const std::size_t neighbours = stats.capacity - stats.free - stats.allocated();
  std::string text = report.use == HbmUse::tensors ? "nrt_tensor_allocate status=4 message=\"Allocation Failure\""
                                                   : "Could not load the model status=4 message=Allocation Failure";
  text += ": failed to allocate " + readable_bytes(report.bytes) + " (" + std::to_string(report.bytes) + " bytes) on " +
          report.name + ": " + readable_bytes(stats.capacity) + " in total, " + readable_bytes(stats.tensors) +
          " in tensors, " + readable_bytes(stats.models) + " in loaded models, ";
  if (stats.code > 0) text += readable_bytes(stats.code) + " in the core's microcode, ";
  if (neighbours > 0) text += readable_bytes(neighbours) + " taken by the NeuronCore that shares this HBM, ";
  text += readable_bytes(stats.free) + " free";
  if (stats.free > stats.largest_free) text += " in pieces of at most " + readable_bytes(stats.largest_free);
  return text + ". Free tensors or models on this NeuronCore, or use another one";
}

void log_oom(const OomReport& report) {
  const OomLogging node = oom_logging();
  if (!node.enabled) return;
  const std::string place = "ND " + std::to_string(report.core / node.cores_per_device) + ":NC " +
                            std::to_string(report.core % node.cores_per_device);
  const std::string text =
      log_text({"TDRV:print_lnc_hbm_details", "LNC size is " + std::to_string(node.logical_core_size) +
                                                 ". Neuron Cores using this HBM: " + cores_of_stack(report, node)}) +
      log_text({"TDRV:log_dev_mem", "Failed to allocate " + logged_bytes(report.bytes) + " (alignment: none, usage: " +
                                       logged_use(report.use) + ") on " + place}) +
      log_text({"TDRV:log_dev_mem_usage_table", "Displaying Current Memory Utilization:"}) + oom_table(report, node);
  write_log(text);
}

}  // namespace neuronspan
