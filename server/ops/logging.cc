#include "server/ops/logging.h"

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/ops/json_string.h"

namespace refund_relay {
namespace {

using Sink = std::function<void(std::string_view)>;

constexpr std::string_view kTruncatedEnd = ",\"truncated\":true}";
constexpr std::string_view kEnd = "}";
// What fields may fill: the end of a cut line and the newline always find room.
constexpr size_t kMaxFieldsEnd = kMaxLogLineBytes - kTruncatedEnd.size() - 1;

std::atomic<LogLevel> g_level = LogLevel::kInfo;

struct SinkHolder {
  absl::Mutex mutex;
  std::shared_ptr<const Sink> sink ABSL_GUARDED_BY(mutex);

  std::shared_ptr<const Sink> Get() {
    absl::MutexLock lock(&mutex);
    return sink;
  }
};

SinkHolder& Holder() {
  static auto& holder = *new SinkHolder;  // never destroyed: threads may log while the process exits
  return holder;
}

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      break;
  }
  return "error";
}

// Appends one value; false if it was cut.
struct ValueWriter {
  std::string& out;

  bool operator()(const std::string& value) const { return AppendJsonString(out, value, kMaxLogStringBytes); }
  bool operator()(int64_t value) const { return AppendText(absl::AlphaNum(value)); }
  bool operator()(uint64_t value) const { return AppendText(absl::AlphaNum(value)); }
  bool operator()(bool value) const { return AppendText(value ? "true" : "false"); }
  bool operator()(double value) const {
    if (!std::isfinite(value)) return AppendText("null");  // JSON has no word for it
    char text[32];
    const auto end = std::to_chars(std::begin(text), std::end(text), value).ptr;
    out.append(text, end);
    return true;
  }

 private:
  bool AppendText(const absl::AlphaNum& text) const {
    out.append(text.data(), text.size());
    return true;
  }
};

std::string Line(LogLevel level, std::string_view message, absl::Span<const LogField> fields) {
  std::string line =
      absl::FormatTime("{\"time\":\"%Y-%m-%dT%H:%M:%E6SZ\",\"level\":\"", absl::Now(), absl::UTCTimeZone());
  line.append(LevelName(level)).append("\",\"message\":");
  bool whole = AppendJsonString(line, message, kMaxLogStringBytes);
  std::string text;
  for (const auto& field : fields) {
    text.assign(1, ',');
    whole &= AppendJsonString(text, field.key, kMaxLogStringBytes);
    text.push_back(':');
    whole &= std::visit(ValueWriter{text}, field.value);
    if (line.size() + text.size() > kMaxFieldsEnd) {
      whole = false;
    } else {
      line.append(text);
    }
  }
  line.append(whole ? kEnd : kTruncatedEnd);
  return line;
}

void WriteToStderr(std::string_view line) {
  while (!line.empty()) {
    const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
    if (written >= 0) {
      line.remove_prefix(static_cast<size_t>(written));  // less than all: a file on a disk that is just now full
    } else if (errno == EAGAIN) {
      pollfd ready{STDERR_FILENO, POLLOUT, 0};  // someone made the terminal that we share non-blocking
      if (poll(&ready, 1, /*milliseconds=*/1000) == 0) return;
    } else if (errno != EINTR) {
      return;
    }
  }
}

}  // namespace

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  Log(level, message, absl::MakeConstSpan(fields.begin(), fields.size()));
}

void Log(LogLevel level, std::string_view message, absl::Span<const LogField> fields) {
  if (level < g_level.load(std::memory_order_relaxed)) return;
  std::string line = Line(level, message, fields);
  if (const auto sink = Holder().Get()) {
    (*sink)(line);
    return;
  }
  line.push_back('\n');
  WriteToStderr(line);
}

void SetLogLevel(LogLevel level) { g_level.store(level, std::memory_order_relaxed); }

void SetLogSink(Sink sink) {
  auto shared = sink ? std::make_shared<const Sink>(std::move(sink)) : nullptr;
  absl::MutexLock lock(&Holder().mutex);
  Holder().sink.swap(shared);
}

}  // namespace refund_relay
