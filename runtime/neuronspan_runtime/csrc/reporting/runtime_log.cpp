#include "reporting/runtime_log.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace neuronspan {

namespace {

constexpr std::size_t kSourceWidth = 44;  // of libnrt's function column

std::atomic<bool> g_error_log{true};

}  // namespace

void set_error_log(bool enabled) noexcept { g_error_log.store(enabled, std::memory_order_relaxed); }

void log_errors(const std::vector<LogLine>& lines) {
  if (!g_error_log.load(std::memory_order_relaxed)) return;
  std::string text;
  for (const LogLine& line : lines) text += log_text(line);
  write_log(text);
}

std::string log_text(const LogLine& line) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto seconds = static_cast<std::time_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count());
  const auto milliseconds = static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count() % 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char stamp[64];
  const std::size_t length = std::strftime(stamp, sizeof stamp, "%Y-%b-%d %H:%M:%S", &utc);
  std::snprintf(stamp + length, sizeof stamp - length, ".%04d %d:%ld ERROR   ", milliseconds, static_cast<int>(getpid()),
                static_cast<long>(syscall(SYS_gettid)));
  std::string source = line.source;
  source.resize(std::max(source.size() + 1, kSourceWidth), ' ');
  return stamp + source + line.text + "\n";
}

void write_log(const std::string& text) noexcept {
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t result = write(STDERR_FILENO, text.data() + written, text.size() - written);
    if (result <= 0) return;
    written += static_cast<std::size_t>(result);
  }
}

}  // namespace neuronspan
