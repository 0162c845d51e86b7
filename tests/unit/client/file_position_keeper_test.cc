// Positions kept in a file: what is written, and that nothing but a whole file of this subscriber is believed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "client/filter_cover.h"
#include "refund_relay/position_keeper.h"
#include "refund_relay/position_text.h"
#include "refund_relay/rpc_error.h"
#include "tests/testing/temp_dir.h"
#include "tests/unit/client/scripted_streams.h"

namespace refund_relay {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using testing::UnorderedElementsAre;

class FilePositionKeeperTest : public testing::Test {
 protected:
  std::unique_ptr<PositionKeeper> Keeper(const std::string& name = "books") const {
    return MakeFilePositionKeeper(path_, name);
  }
  static KeptPosition KeptAt(uint64_t sequence) {
    KeptPosition kept{At(sequence), {}};
    kept.filter.add_event_names("refunded.pass");
    kept.filter.add_event_types(refundrelay::v1::REFUND_EVENT_TYPE_SUBSCRIPTION);
    return kept;
  }
  std::string Content() const {
    std::ostringstream content;
    content << std::ifstream(path_).rdbuf();
    return content.str();
  }
  void Write(const std::string& content) const { std::ofstream(path_, std::ios::trunc) << content; }
  // What loading the file answers; it must not be OK.
  RpcError LoadError() const {
    const auto kept = Keeper()->Load();
    EXPECT_FALSE(kept.ok());
    return RpcErrorOf(kept.status());
  }

  TempDir folder_;
  const std::string path_ = folder_.path() + "/books.position";
};

TEST_F(FilePositionKeeperTest, GivesBackWhatWasCommittedLast) {
  {
    const auto keeper = Keeper();
    const auto nothing = keeper->Load();
    ASSERT_TRUE(nothing.ok());
    EXPECT_FALSE(nothing->has_value());
    ASSERT_TRUE(keeper->Commit(KeptAt(3)).ok());
    ASSERT_TRUE(keeper->Commit(KeptAt(40)).ok());
  }
  const auto kept = Keeper()->Load();
  ASSERT_TRUE(kept.ok()) << kept.status();
  ASSERT_TRUE(kept->has_value());
  EXPECT_EQ((*kept)->position.SerializeAsString(), At(40).SerializeAsString());
  EXPECT_EQ((*kept)->filter.SerializeAsString(), KeptAt(40).filter.SerializeAsString());
}

TEST_F(FilePositionKeeperTest, TheFileIsReadable) {
  ASSERT_TRUE(Keeper()->Commit(KeptAt(3)).ok());
  EXPECT_THAT(Content(), StartsWith("refund-relay position 1\nsubscriber: books\nposition: log1:3:0000000000000bb8\n"
                                    "filter: {\"event_types\":[\"REFUND_EVENT_TYPE_SUBSCRIPTION\"],"
                                    "\"event_names\":[\"refunded.pass\"]}\nchecksum: "));
}

TEST_F(FilePositionKeeperTest, AFileIsReplacedAndNeverWrittenInto) {
  ASSERT_TRUE(Keeper()->Commit(KeptAt(3)).ok());
  std::ifstream before(path_);  // whoever has it open keeps seeing the whole old file
  ASSERT_TRUE(Keeper()->Commit(KeptAt(4)).ok());
  std::ostringstream old;
  old << before.rdbuf();
  EXPECT_THAT(old.str(), HasSubstr("log1:3:"));
  EXPECT_THAT(Content(), HasSubstr("log1:4:"));
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    names.push_back(entry.path().filename().string());
  }
  EXPECT_THAT(names, UnorderedElementsAre("books.position", "books.position.lock"));
}

TEST_F(FilePositionKeeperTest, WhatACrashLeftOfANewFileIsNotBelieved) {
  ASSERT_TRUE(Keeper()->Commit(KeptAt(3)).ok());
  std::ofstream(path_ + ".new") << "refund-relay pos";
  const auto kept = Keeper()->Load();
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ((*kept)->position.sequence(), 3u);
  EXPECT_TRUE(Keeper()->Commit(KeptAt(4)).ok());
}

TEST_F(FilePositionKeeperTest, EveryCutAndEveryFlippedByteIsLoud) {
  ASSERT_TRUE(Keeper()->Commit(KeptAt(3)).ok());
  const std::string whole = Content();
  for (size_t size = 0; size < whole.size(); ++size) {
    Write(whole.substr(0, size));
    EXPECT_NE(LoadError().reason, "") << "cut to " << size;
  }
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string flipped = whole;
    flipped[i] ^= 1;
    Write(flipped);
    EXPECT_NE(LoadError().reason, "") << "byte " << i;
  }
  Write(whole + "x");
  EXPECT_EQ(LoadError().reason, "POSITION_FILE_DAMAGED");
  Write(whole);
  EXPECT_TRUE(Keeper()->Load().ok());
}

TEST_F(FilePositionKeeperTest, DamageNamesTheFileAndTheWayOut) {
  Write("");
  const RpcError error = LoadError();
  EXPECT_EQ(error.code, grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(error.reason, "POSITION_FILE_DAMAGED");
  EXPECT_THAT(error.message, AllOf(HasSubstr(path_), HasSubstr("it is empty"), HasSubstr("delete it, knowingly")));
}

TEST_F(FilePositionKeeperTest, AForeignFileIsLoud) {
  Write("{\"position\": 3}\n");
  EXPECT_EQ(LoadError().reason, "POSITION_FILE_FOREIGN");
  ASSERT_TRUE(MakeFilePositionKeeper(path_, "gate")->Commit(KeptAt(3)).ok());
  const RpcError error = LoadError();
  EXPECT_EQ(error.code, grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(error.reason, "POSITION_FILE_FOREIGN");
  EXPECT_THAT(error.message, HasSubstr("belongs to the subscriber gate, not to books"));
}

TEST_F(FilePositionKeeperTest, TwoKeepersOfOneFileNoticeEachOther) {
  {
    const auto first = Keeper();
    ASSERT_TRUE(first->Load().ok());
    const auto second = Keeper();
    EXPECT_EQ(RpcErrorOf(second->Load().status()).reason, "POSITION_FILE_LOCKED");
    EXPECT_EQ(RpcErrorOf(second->Commit(KeptAt(3))).reason, "POSITION_FILE_LOCKED");
  }
  EXPECT_TRUE(Keeper()->Load().ok());
}

TEST_F(FilePositionKeeperTest, AFolderThatIsMissingIsAnErrorAndNoBeginning) {
  const auto keeper = MakeFilePositionKeeper(folder_.path() + "/gone/position", "books");
  const auto kept = keeper->Load();
  EXPECT_EQ(kept.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(kept.status().message()), HasSubstr("the folder must exist"));
  EXPECT_FALSE(IsPassing(RpcErrorOf(keeper->Commit(KeptAt(1)))));
}

TEST_F(FilePositionKeeperTest, AFullDiskMayPass) {
  const auto keeper = Keeper();
  ASSERT_TRUE(keeper->Commit(KeptAt(3)).ok());
  std::filesystem::create_symlink("/dev/full", path_ + ".new");
  const absl::Status status = keeper->Commit(KeptAt(4));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_TRUE(IsPassing(RpcErrorOf(status)));
  std::filesystem::remove(path_ + ".new");
  EXPECT_EQ((*keeper->Load())->position.sequence(), 3u);
}

refundrelay::v1::EventFilter Filter(const std::vector<int>& types, const std::vector<std::string>& names,
                                    const std::vector<std::string>& client_ids) {
  refundrelay::v1::EventFilter filter;
  for (const int type : types) filter.add_event_types(static_cast<refundrelay::v1::RefundEventType>(type));
  for (const auto& name : names) filter.add_event_names(name);
  for (const auto& id : client_ids) filter.add_client_ids(id);
  return filter;
}

TEST(FilterCoverTest, EmptyIsEverything) {
  EXPECT_TRUE(Covers(Filter({}, {}, {}), Filter({1}, {"refunded.x"}, {"c"})));
  EXPECT_FALSE(Covers(Filter({1}, {}, {}), Filter({}, {}, {})));
  EXPECT_FALSE(Covers(Filter({}, {}, {"c"}), Filter({}, {}, {})));
  EXPECT_TRUE(Covers(Filter({}, {}, {}), Filter({}, {}, {})));
}

TEST(FilterCoverTest, ATypeStandsForItsName) {
  EXPECT_TRUE(Covers(Filter({3}, {}, {}), Filter({}, {"refunded.pass"}, {})));
  EXPECT_TRUE(Covers(Filter({}, {"refunded.pass", "refunded.subscription", "refunded.pay_per_use"}, {}),
                     Filter({1, 2, 3}, {}, {})));
  EXPECT_FALSE(Covers(Filter({3}, {}, {}), Filter({2}, {}, {})));
  EXPECT_FALSE(Covers(Filter({1, 2, 3}, {}, {}), Filter({9}, {}, {})));
  EXPECT_TRUE(Covers(Filter({9}, {}, {}), Filter({9}, {}, {})));
}

TEST(FilterCoverTest, BothPartsMustBeCovered) {
  EXPECT_TRUE(Covers(Filter({1, 2}, {}, {"b", "a"}), Filter({2}, {}, {"a"})));
  EXPECT_FALSE(Covers(Filter({1, 2}, {}, {"a"}), Filter({2}, {}, {"a", "b"})));
  EXPECT_FALSE(Covers(Filter({2}, {}, {"a"}), Filter({1, 2}, {}, {"a"})));
}

}  // namespace
}  // namespace refund_relay
