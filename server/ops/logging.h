// Structured logs: one JSON object a line on stderr.
#ifndef REFUND_RELAY_SERVER_OPS_LOGGING_H_
#define REFUND_RELAY_SERVER_OPS_LOGGING_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace refund_relay {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// A named value of a log line. Personal data and secrets must never be one: log ids, sequences, sizes and reasons.
struct LogField {
  std::string_view key;
  std::variant<std::string, int64_t, uint64_t, double, bool> value;

  LogField(std::string_view k, std::string_view v) : key(k), value(std::string(v)) {}
  LogField(std::string_view k, const char* v) : key(k), value(std::string(v)) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  LogField(std::string_view k, bool v) : key(k), value(v) {}
  LogField(std::string_view k, double v) : key(k), value(v) {}
  LogField(std::string_view k, const absl::Status& v) : key(k), value(v.ToString()) {}
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  LogField(std::string_view k, T v) : key(k), value(static_cast<uint64_t>(v)) {}
  template <std::signed_integral T>
  LogField(std::string_view k, T v) : key(k), value(static_cast<int64_t>(v)) {}
};

// A line, its newline included, is never longer: pipes write up to PIPE_BUF (4096) bytes as one piece.
inline constexpr size_t kMaxLogLineBytes = 4096;

// A longer string, as written, is cut.
inline constexpr size_t kMaxLogStringBytes = 1024;

// Writes `{"time":..., "level":..., "message":..., <fields>}` by one system call. Thread-safe; a line is never torn.
// Strings are escaped, and invalid UTF-8 in them is replaced, so every line parses; one that is too long is cut, fields
// that no longer fit are left out, and `"truncated":true` says so. Blocks for as long as stderr does; a line that
// cannot be written is lost.
void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
// Likewise, for fields that are there only sometimes.
void Log(LogLevel level, std::string_view message, absl::Span<const LogField> fields);

// Lines below `level` are dropped. Default kInfo.
void SetLogLevel(LogLevel level);

// For tests: lines (without their newline) go to `sink` instead of stderr; nullptr restores stderr. `sink` may be
// called from several threads at once, also shortly after it was replaced.
void SetLogSink(std::function<void(std::string_view line)> sink);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_LOGGING_H_
