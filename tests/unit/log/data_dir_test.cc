// The data directory: created, locked, refused on network file systems.
#include "server/log/data_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/testing/temp_dir.h"

namespace refund_relay {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int64_t kNfsMagic = 0x6969;

TEST(DataDirTest, NetworkFilesystemsAreKnownByTheirMagic) {
  EXPECT_EQ(NetworkFilesystem(kNfsMagic), "NFS");
  EXPECT_EQ(NetworkFilesystem(int64_t{0xFF534D42}), "SMB/CIFS");
  EXPECT_EQ(NetworkFilesystem(static_cast<int32_t>(0xFF534D42)), "SMB/CIFS") << "f_type is signed on some machines";
  EXPECT_EQ(NetworkFilesystem(0x65735546), "FUSE");
  EXPECT_FALSE(NetworkFilesystem(0xEF53).has_value()) << "ext4";
  EXPECT_FALSE(NetworkFilesystem(0x58465342).has_value()) << "XFS";
  EXPECT_FALSE(NetworkFilesystem(0x01021994).has_value()) << "tmpfs";
}

TEST(DataDirTest, ANetworkFilesystemIsRefusedUnlessTold) {
  const TempDir temp;
  DataDir::Options options;
  options.path = temp.path() + "/data";
  options.filesystem_magic = [](const std::string&) { return kNfsMagic; };
  const auto refused = DataDir::Open(options);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("is on NFS"));
  options.allow_network_filesystem = true;
  EXPECT_TRUE(DataDir::Open(options).ok());
}

TEST(DataDirTest, AFileInThePlaceOfTheFolderIsNamed) {
  const TempDir temp;
  DataDir::Options options;
  options.path = temp.path() + "/file";
  std::ofstream(options.path) << "x";
  const auto refused = DataDir::Open(options);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.status().message()), AllOf(HasSubstr("--data_dir: "), HasSubstr("is not a directory"),
                                                             HasSubstr("name a folder on a local disk")));
}

TEST(DataDirTest, NoFolderAtAllIsAnError) {
  EXPECT_EQ(DataDir::Open({}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(DataDirTest, TheSpaceIsThatOfTheFilesystem) {
  const TempDir temp;
  const auto space = DiskSpaceAt(temp.path());
  ASSERT_TRUE(space.ok()) << space.status();
  EXPECT_GT(space->free_bytes, 0u);
  EXPECT_EQ(space->size_bytes, std::filesystem::space(temp.path()).capacity);
  EXPECT_FALSE(DiskSpaceAt(temp.path() + "/none").ok());
}

}  // namespace
}  // namespace refund_relay
