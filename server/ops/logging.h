// Structured logs: one JSON object a line on stderr.
#ifndef REFUND_RELAY_SERVER_OPS_LOGGING_H_
#define REFUND_RELAY_SERVER_OPS_LOGGING_H_

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/status.h"

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

// Writes `{"time":..., "level":..., "message":..., <fields>}`. Thread-safe; a line is never torn. Strings are escaped, and
// invalid UTF-8 in them is replaced, so every line parses.
void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

// Lines below `level` are dropped. Default kInfo.
void SetLogLevel(LogLevel level);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_LOGGING_H_
