// Log lines: each is one JSON object, whole and bounded, whatever its fields hold.
#include "server/ops/logging.h"

#include <fcntl.h>
#include <unistd.h>

#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/ops/flat_json.h"

namespace refund_relay {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::SizeIs;

// Collects the lines of one test.
class LoggingTest : public ::testing::Test {
 protected:
  LoggingTest() {
    SetLogSink([this](std::string_view line) {
      absl::MutexLock lock(&mutex_);
      lines_.emplace_back(line);
    });
  }
  ~LoggingTest() override {
    SetLogSink(nullptr);
    SetLogLevel(LogLevel::kInfo);
  }

  std::vector<std::string> Lines() {
    absl::MutexLock lock(&mutex_);
    return lines_;
  }

  std::string Line() {
    const auto lines = Lines();
    EXPECT_THAT(lines, SizeIs(1));
    return lines.empty() ? "{}" : lines.back();
  }

 private:
  absl::Mutex mutex_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(LoggingTest, TakesFieldsThatWereGathered) {
  std::vector<LogField> fields = {{"result", "refused"}};
  fields.emplace_back("status", 401);
  Log(LogLevel::kInfo, "webhook", fields);
  auto line = FlatJson(Line());
  EXPECT_EQ(line["result"], "refused");
  EXPECT_EQ(line["status"], "401");
}

TEST_F(LoggingTest, WritesTimeLevelMessageAndFieldsOfEveryType) {
  const absl::Time before = absl::Now() - absl::Microseconds(1);  // lines carry whole microseconds
  Log(LogLevel::kWarning, "append failed",
      {{"sequence", uint64_t{18446744073709551615u}},
       {"change", -7},
       {"seconds", 0.25},
       {"retry", true},
       {"reason", std::string("disk full")},
       {"status", absl::UnavailableError("no space")},
       {"ratio", std::numeric_limits<double>::infinity()}});
  auto line = FlatJson(Line());
  EXPECT_EQ(line["level"], "warning");
  EXPECT_EQ(line["message"], "append failed");
  EXPECT_EQ(line["sequence"], "18446744073709551615");
  EXPECT_EQ(line["change"], "-7");
  EXPECT_EQ(line["seconds"], "0.25");
  EXPECT_EQ(line["retry"], "true");
  EXPECT_EQ(line["reason"], "disk full");
  EXPECT_EQ(line["status"], "UNAVAILABLE: no space");
  EXPECT_EQ(line["ratio"], "null");

  const std::string time = line["time"];
  EXPECT_THAT(time, MatchesRegex("[0-9-]+T[0-9:]+\\.[0-9]{6}Z"));
  absl::Time parsed;
  std::string error;
  ASSERT_TRUE(absl::ParseTime(absl::RFC3339_full, time, &parsed, &error)) << error;
  EXPECT_GE(parsed, before);
  EXPECT_LE(parsed, absl::Now());
}

TEST_F(LoggingTest, HostileTextStaysOneParseableLine) {
  using std::string_literals::operator""s;
  const std::string hostile = "a\"b\\c\nd\re\tf\0g\x1b[31m\x7f\"},{\"level\":\"error"s;
  Log(LogLevel::kInfo, hostile, {{"field", hostile}});
  EXPECT_EQ(Line().find_first_of("\n\r\x1b\x7f"s + '\0'), std::string::npos);
  auto line = FlatJson(Line());
  EXPECT_EQ(line["message"], hostile);
  EXPECT_EQ(line["field"], hostile);
}

TEST_F(LoggingTest, InvalidUtf8IsReplacedAndValidKept) {
  // A stray continuation, an overlong '/', a surrogate, a cut character, beyond U+10FFFF; then two-, three- and
  // four-byte characters.
  Log(LogLevel::kInfo, "\x80|\xC0\xAF|\xED\xA0\x80|\xE2\x82|\xF5\x80\x80\x80|\xC3\xA9\xE2\x82\xB9\xF0\x9F\x98\x80");
  auto line = FlatJson(Line());
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(line["message"], absl::StrCat(r, "|", r, r, "|", r, r, r, "|", r, r, "|", r, r, r, r, "|",
                                          "\xC3\xA9\xE2\x82\xB9\xF0\x9F\x98\x80"));
}

TEST_F(LoggingTest, LongStringsAreCutBetweenCharactersAndSaidToBe) {
  std::string rupees;
  while (rupees.size() < 2 * kMaxLogStringBytes) rupees.append("\xE2\x82\xB9");
  Log(LogLevel::kInfo, "x", {{"text", rupees}, {"sequence", 1}});
  auto line = FlatJson(Line());
  EXPECT_LE(line["text"].size(), kMaxLogStringBytes);
  EXPECT_EQ(line["text"].size() % 3, 0u);
  EXPECT_EQ(line["truncated"], "true");
  EXPECT_EQ(line["sequence"], "1");
}

TEST_F(LoggingTest, ALineNeverOutgrowsWhatAPipeTakesWhole) {
  const std::string control(5000, '\x01');  // six bytes each once escaped
  Log(LogLevel::kInfo, control,
      {{"a", control}, {"b", control}, {"c", control}, {"d", control}, {"e", control}, {"sequence", 7}});
  EXPECT_LT(Line().size(), kMaxLogLineBytes);
  auto line = FlatJson(Line());
  EXPECT_EQ(line["truncated"], "true");
  EXPECT_EQ(line["sequence"], "7");  // small fields find room after those that did not
}

TEST_F(LoggingTest, LinesBelowTheLevelAreDropped) {
  Log(LogLevel::kDebug, "by default");
  SetLogLevel(LogLevel::kError);
  Log(LogLevel::kWarning, "too low");
  EXPECT_THAT(Lines(), IsEmpty());
  SetLogLevel(LogLevel::kDebug);
  Log(LogLevel::kDebug, "wanted");
  EXPECT_THAT(Line(), HasSubstr("\"level\":\"debug\""));
}

// The real way out: eight threads write long lines into one pipe, which must come out whole.
TEST(LoggingStderrTest, ConcurrentLinesAreNotTorn) {
  constexpr int kThreads = 8;
  constexpr int kLines = 100;
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
  ASSERT_GE(saved, 0);
  ASSERT_GE(dup2(ends[1], STDERR_FILENO), 0);
  ASSERT_EQ(close(ends[1]), 0);

  std::string written;
  std::thread reader([&written, end = ends[0]] {
    char buffer[777];
    for (ssize_t got = 0; (got = read(end, buffer, sizeof(buffer))) > 0;) {
      written.append(buffer, static_cast<size_t>(got));
    }
  });
  std::vector<std::thread> writers;
  for (int t = 0; t < kThreads; ++t) {
    writers.emplace_back([t] {
      const std::string filler(900, static_cast<char>('a' + t));
      for (int i = 0; i < kLines; ++i) Log(LogLevel::kInfo, filler, {{"1", filler}, {"2", filler}, {"3", filler}});
    });
  }
  for (auto& writer : writers) writer.join();
  EXPECT_GE(dup2(saved, STDERR_FILENO), 0);  // closes the pipe's last writing end
  EXPECT_EQ(close(saved), 0);
  reader.join();
  EXPECT_EQ(close(ends[0]), 0);

  ASSERT_THAT(written, EndsWith("\n"));
  written.pop_back();
  const std::vector<std::string> lines = absl::StrSplit(written, '\n');
  ASSERT_THAT(lines, SizeIs(kThreads * kLines));
  for (const auto& line : lines) {
    auto parsed = FlatJson(line);
    ASSERT_EQ(parsed["message"], parsed["3"]);
  }
}

}  // namespace
}  // namespace refund_relay
