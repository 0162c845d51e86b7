// Opening the storage that the settings ask for.
#include "server/log/open_storage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/testing/log_probe.h"
#include "tests/testing/temp_dir.h"

namespace refund_relay {
namespace {

using ::testing::HasSubstr;

TEST(OpenStorageTest, SqliteKeepsEvents) {
  const TempDir temp;
  StorageOptions options;
  options.data_dir = temp.path();
  for (const bool duplicate : {false, true}) {
    const auto storage = OpenStorage(options);
    ASSERT_TRUE(storage.ok()) << storage.status();
    const auto outcome = AppendAndWait(*storage->log, MakeEvent("e1"));
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_EQ(outcome->duplicate, duplicate);
  }
  EXPECT_TRUE(DataDirSpace(temp.path()).has_value());
}

TEST(OpenStorageTest, MemoryForgetsThem) {
  StorageOptions options;
  options.log = "memory";
  for (int i = 0; i < 2; ++i) {
    const auto storage = OpenStorage(options);
    ASSERT_TRUE(storage.ok()) << storage.status();
    const auto outcome = AppendAndWait(*storage->log, MakeEvent("e1"));
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_FALSE(outcome->duplicate);
  }
}

TEST(OpenStorageTest, OtherNamesAreRefusedInWords) {
  StorageOptions options;
  options.log = "jetstream";
  const auto jetstream = OpenStorage(options);
  EXPECT_EQ(jetstream.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(jetstream.status().message()), HasSubstr("not part of this version"));
  options.log = "postgres";
  const auto unknown = OpenStorage(options);
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(unknown.status().message()), HasSubstr("--log=postgres is no log"));
}

}  // namespace
}  // namespace refund_relay
