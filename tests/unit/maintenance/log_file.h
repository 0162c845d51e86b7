// A log in a temporary folder, and its database as an operator with an sqlite3 shell sees it.
#ifndef REFUND_RELAY_TESTS_UNIT_MAINTENANCE_LOG_FILE_H_
#define REFUND_RELAY_TESTS_UNIT_MAINTENANCE_LOG_FILE_H_

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/log/open_storage.h"
#include "server/log/sqlite_event_log.h"
#include "tests/testing/log_probe.h"
#include "tests/testing/manual_clock.h"
#include "tests/testing/temp_dir.h"

namespace refund_relay {

class LogFile {
 public:
  std::unique_ptr<SqliteEventLog> Open() {
    SqliteEventLog::Options options;
    options.data_dir = data_dir();
    options.clock = &clock_;
    auto log = SqliteEventLog::Open(options);
    EXPECT_TRUE(log.ok()) << log.status();
    return log.ok() ? *std::move(log) : nullptr;
  }

  // Appends e<first>, ... e<last>, a second apart.
  void Append(EventLog& log, int first, int last) {
    Answers answers;
    for (int i = first; i <= last; ++i) {
      clock_.Advance(absl::Seconds(1));
      log.Append(MakeEvent(absl::StrCat("e", i)), answers.Next());
    }
    for (const auto& outcome : answers.Wait()) EXPECT_TRUE(outcome.ok()) << outcome.status();
  }

  std::string folder() const { return temp_.path(); }
  std::string data_dir() const { return temp_.path() + "/data"; }
  std::string path() const { return LogDatabasePath(data_dir()); }

  static void RunSql(const std::string& path, const std::string& sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
    char* error = nullptr;
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
    sqlite3_close(db);
  }

  ManualClock& clock() { return clock_; }

 private:
  TempDir temp_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'000)};
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_UNIT_MAINTENANCE_LOG_FILE_H_
