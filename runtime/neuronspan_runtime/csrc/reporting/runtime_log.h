// Lines in the shape of libnrt's log, on standard error, where scripts look for them. nrt_log.py writes those of the start.
// Law: past Python and iostreams, whose locks the failing thread may wait for; what cannot be written is lost.
#pragma once

#include <string>
#include <vector>

namespace neuronspan {

struct LogLine {
  const char* source;  // "COMPONENT:function"
  std::string text;
};

// Off at log level QUIET, the only one below ERROR.
void set_error_log(bool enabled) noexcept;
// Writes ERROR lines, together.
void log_errors(const std::vector<LogLine>& lines);

// One ERROR line with its end, and writing it whatever the level.
std::string log_text(const LogLine& line);
void write_log(const std::string& text) noexcept;

}  // namespace neuronspan
