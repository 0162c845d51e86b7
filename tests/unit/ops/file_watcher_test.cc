// Watched files: which changes are told, and when.
#include "server/ops/file_watcher.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace refund_relay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Content = absl::StatusOr<std::string>;

// What a reader sees: the content, or the code of the error in angle brackets.
std::string Text(const Content& content) {
  return content.ok() ? *content : absl::StrCat("<", absl::StatusCodeToString(content.status().code()), ">");
}

class FileTest : public ::testing::Test {
 protected:
  FileTest() {
    std::string pattern = ::testing::TempDir() + "/file_watcher_XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~FileTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

  void Write(const std::string& name, const std::string& content) const {
    std::ofstream file(folder_ / name, std::ios::trunc);
    file << content;
    ASSERT_TRUE(file.flush().good());
  }

 private:
  std::filesystem::path folder_;
};

class ReadFileTest : public FileTest {};

TEST_F(ReadFileTest, ReturnsTheBytes) {
  const std::string content = std::string("a\0b\n", 4) + std::string(10000, 'x');
  Write("secret", content);
  EXPECT_EQ(Text(ReadFile(Path("secret"))), content);
}

TEST_F(ReadFileTest, NothingOfAShortFileIsInTheStringItself) {
  Write("secret", "short");
  const auto content = ReadFile(Path("secret"));
  ASSERT_TRUE(content.ok());
  const auto* const object = reinterpret_cast<const char*>(&*content);
  EXPECT_FALSE(content->data() >= object && content->data() < object + sizeof(std::string));
}

TEST_F(ReadFileTest, ErrorsNameThePathAndTheReason) {
  const auto missing = ReadFile(Path("missing"));
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr(Path("missing")));
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("No such file"));
}

TEST_F(ReadFileTest, RefusesFoldersAndPipesWithoutWaiting) {
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(Text(ReadFile(Path("pipe"))), "<INVALID_ARGUMENT>");
  EXPECT_EQ(Text(ReadFile(Path(""))), "<INVALID_ARGUMENT>");
  EXPECT_EQ(Text(ReadFile("/dev/zero")), "<INVALID_ARGUMENT>");
}

TEST_F(ReadFileTest, RefusesWhatIsTooLarge) {
  Write("secret", "12345678");
  EXPECT_EQ(Text(ReadFile(Path("secret"), 8)), "12345678");
  EXPECT_EQ(Text(ReadFile(Path("secret"), 7)), "<RESOURCE_EXHAUSTED>");
}

FileState State(const Content& content) { return StateOf(content); }

TEST(FileChangeDetectorTest, TellsAChangeOnceItWasReadTwice) {
  FileChangeDetector detector(State("old"));
  EXPECT_FALSE(detector.Check(State("old")));
  EXPECT_FALSE(detector.Check(State("ne")));  // a writer at half its work
  EXPECT_FALSE(detector.Check(State("new")));
  EXPECT_TRUE(detector.Check(State("new")));
  EXPECT_FALSE(detector.Check(State("new")));
}

TEST(FileChangeDetectorTest, AChangeThatIsTakenBackIsNone) {
  FileChangeDetector detector(State("old"));
  EXPECT_FALSE(detector.Check(State("new")));
  EXPECT_FALSE(detector.Check(State("old")));
  EXPECT_FALSE(detector.Check(State("new")));
}

TEST(FileChangeDetectorTest, OnDemandTellsAtOnce) {
  FileChangeDetector detector(State("old"));
  EXPECT_TRUE(detector.CheckOnDemand(State("new")));
  EXPECT_FALSE(detector.CheckOnDemand(State("new")));
}

TEST(FileChangeDetectorTest, TellsAnErrorOnceAndTheReturnOfTheSameContent) {
  FileChangeDetector detector(State("same"));
  EXPECT_TRUE(detector.CheckOnDemand(State(absl::NotFoundError("gone"))));
  EXPECT_FALSE(detector.CheckOnDemand(State(absl::NotFoundError("gone"))));
  EXPECT_TRUE(detector.CheckOnDemand(State(absl::PermissionDeniedError("closed"))));
  EXPECT_TRUE(detector.CheckOnDemand(State("same")));
}

// Collects what a watcher tells.
class Changes {
 public:
  FileWatcher::Changed Callback() {
    return [this](const Content& content) {
      absl::MutexLock lock(&mutex_);
      changes_.push_back(Text(content));
    };
  }

  std::vector<std::string> Take() {
    absl::MutexLock lock(&mutex_);
    return std::exchange(changes_, {});
  }

  // Waits until something was told.
  std::vector<std::string> Wait() {
    absl::MutexLock lock(&mutex_);
    const auto some = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !changes_.empty(); };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&some), absl::Seconds(30)));
    return std::exchange(changes_, {});
  }

 private:
  absl::Mutex mutex_;
  std::vector<std::string> changes_ ABSL_GUARDED_BY(mutex_);
};

class FileWatcherTest : public FileTest {
 protected:
  Changes changes_;
  FileWatcher on_demand_{absl::InfiniteDuration()};  // checks only when told
};

TEST_F(FileWatcherTest, SeesWritesInPlaceOfTheSameSizeAtOnce) {
  Write("secret", "one");
  on_demand_.Watch(Path("secret"), ReadFile(Path("secret")), changes_.Callback());
  on_demand_.CheckNow();
  EXPECT_THAT(changes_.Take(), IsEmpty());
  for (const std::string content : {"two", "six", "ten"}) {  // within one tick of the file system's clock
    Write("secret", content);
    on_demand_.CheckNow();
    EXPECT_THAT(changes_.Take(), ElementsAre(content));
  }
}

TEST_F(FileWatcherTest, SeesAnAtomicRename) {
  Write("secret", "old");
  on_demand_.Watch(Path("secret"), ReadFile(Path("secret")), changes_.Callback());
  Write("secret.tmp", "new");
  std::filesystem::rename(Path("secret.tmp"), Path("secret"));
  on_demand_.CheckNow();
  EXPECT_THAT(changes_.Take(), ElementsAre("new"));
}

TEST_F(FileWatcherTest, SeesKubernetesSwapItsDataLink) {
  for (const std::string version : {"v1", "v2"}) {
    std::filesystem::create_directory(Path(version));
    Write(version + "/secret", "of " + version);
  }
  std::filesystem::create_symlink("v1", Path("..data"));
  std::filesystem::create_symlink("..data/secret", Path("secret"));
  on_demand_.Watch(Path("secret"), ReadFile(Path("secret")), changes_.Callback());
  std::filesystem::create_symlink("v2", Path("..data_tmp"));
  std::filesystem::rename(Path("..data_tmp"), Path("..data"));
  std::filesystem::remove_all(Path("v1"));
  on_demand_.CheckNow();
  EXPECT_THAT(changes_.Take(), ElementsAre("of v2"));
}

TEST_F(FileWatcherTest, SeesDeletionAndReturn) {
  Write("secret", "same");
  on_demand_.Watch(Path("secret"), ReadFile(Path("secret")), changes_.Callback());
  std::filesystem::remove(Path("secret"));
  on_demand_.CheckNow();
  EXPECT_THAT(changes_.Take(), ElementsAre("<NOT_FOUND>"));
  on_demand_.CheckNow();
  EXPECT_THAT(changes_.Take(), IsEmpty());
  Write("secret", "same");
  on_demand_.CheckNow();
  EXPECT_THAT(changes_.Take(), ElementsAre("same"));
}

TEST_F(FileWatcherTest, SeesWhatChangedBetweenTheFirstReadAndWatch) {
  Write("secret", "old");
  const auto known = ReadFile(Path("secret"));
  Write("secret", "new");
  on_demand_.Watch(Path("secret"), known, changes_.Callback());
  on_demand_.CheckNow();
  EXPECT_THAT(changes_.Take(), ElementsAre("new"));
}

TEST_F(FileWatcherTest, TellsEachFileToItsOwnCallback) {
  Changes others;
  Write("a", "1");
  Write("b", "1");
  on_demand_.Watch(Path("a"), Content("1"), changes_.Callback());
  on_demand_.Watch(Path("b"), Content("1"), others.Callback());
  Write("b", "2");
  on_demand_.CheckNow();
  EXPECT_THAT(changes_.Take(), IsEmpty());
  EXPECT_THAT(others.Take(), ElementsAre("2"));
}

TEST_F(FileWatcherTest, RequestCheckTellsWithoutWaiting) {
  Write("secret", "new");
  on_demand_.Watch(Path("secret"), Content("old"), changes_.Callback());
  on_demand_.RequestCheck();
  EXPECT_THAT(changes_.Wait(), ElementsAre("new"));
}

TEST_F(FileWatcherTest, PollsByItself) {
  FileWatcher polling(absl::Milliseconds(1));
  Write("secret", "old");
  polling.Watch(Path("secret"), Content("old"), changes_.Callback());
  Write("secret.tmp", "new");
  std::filesystem::rename(Path("secret.tmp"), Path("secret"));
  EXPECT_THAT(changes_.Wait(), ElementsAre("new"));
}

}  // namespace
}  // namespace refund_relay
