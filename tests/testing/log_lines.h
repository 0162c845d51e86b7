// LogLines: keeps the log lines of a test.
#ifndef REFUND_RELAY_TESTS_TESTING_LOG_LINES_H_
#define REFUND_RELAY_TESTS_TESTING_LOG_LINES_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/synchronization/mutex.h"
#include "server/ops/logging.h"

namespace refund_relay {

// Takes every line for as long as it lives. Thread-safe.
class LogLines {
 public:
  LogLines() {
    SetLogSink([kept = kept_](std::string_view line) {
      absl::MutexLock lock(&kept->mutex);
      kept->lines.emplace_back(line);
    });
  }
  ~LogLines() { SetLogSink(nullptr); }
  LogLines(const LogLines&) = delete;
  LogLines& operator=(const LogLines&) = delete;

  // Those that contain `text`.
  std::vector<std::string> With(std::string_view text) const {
    std::vector<std::string> found;
    absl::MutexLock lock(&kept_->mutex);
    for (const std::string& line : kept_->lines) {
      if (absl::StrContains(line, absl::string_view(text.data(), text.size()))) found.push_back(line);
    }
    return found;
  }

 private:
  // Shared: a sink may be called shortly after it was replaced.
  struct Kept {
    absl::Mutex mutex;
    std::vector<std::string> lines ABSL_GUARDED_BY(mutex);
  };
  const std::shared_ptr<Kept> kept_ = std::make_shared<Kept>();
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_TESTING_LOG_LINES_H_
