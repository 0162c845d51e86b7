// Positions kept by a server: versions, and commits whose outcome is not known.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "refund_relay/connection.h"
#include "refund_relay/position_keeper.h"
#include "refund_relay/position_text.h"
#include "refund_relay/rpc_error.h"
#include "tests/unit/client/fake_event_service.h"
#include "tests/unit/client/reserved_port.h"
#include "tests/unit/client/scripted_streams.h"

namespace refund_relay {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class ServerPositionKeeperTest : public testing::Test {
 protected:
  std::unique_ptr<PositionKeeper> Keeper() {
    return MakeServerPositionKeeper(MakeConnection(service_.address()), "books", absl::Seconds(30));
  }
  static KeptPosition KeptAt(uint64_t sequence) {
    KeptPosition kept{At(sequence), {}};
    kept.filter.add_event_names("refunded.pass");
    return kept;
  }

  FakeEventService service_;
  const grpc::Status lost_{grpc::StatusCode::UNAVAILABLE, "connection reset"};
};

TEST_F(ServerPositionKeeperTest, CommitsUnderItsNameWithItsFilterAndTheVersionThatItKnows) {
  const auto keeper = Keeper();
  EXPECT_TRUE(keeper->KeptByServer());
  const auto nothing = keeper->Load();
  ASSERT_TRUE(nothing.ok());
  EXPECT_FALSE(nothing->has_value());
  ASSERT_TRUE(keeper->Commit(KeptAt(3)).ok());
  ASSERT_TRUE(keeper->Commit(KeptAt(5)).ok());
  const auto requests = service_.commit_requests();
  ASSERT_THAT(requests, SizeIs(2));
  EXPECT_EQ(requests[0].ShortDebugString(),
            "subscriber_name: \"books\" position { log_id: \"log1\" sequence: 3 event_hash: 3000 } filter { "
            "event_names: \"refunded.pass\" } expected_version: 0");
  EXPECT_EQ(requests[1].expected_version(), 1u);
  const auto kept = Keeper()->Load();
  ASSERT_TRUE(kept.ok() && kept->has_value());
  EXPECT_EQ(FormatPosition((*kept)->position), FormatPosition(At(5)));
  EXPECT_EQ((*kept)->filter.event_names(0), "refunded.pass");
}

TEST_F(ServerPositionKeeperTest, TwoProcessesUnderOneNameNoticeEachOther) {
  const auto first = Keeper();
  const auto second = Keeper();
  ASSERT_TRUE(first->Load().ok());
  ASSERT_TRUE(second->Load().ok());
  ASSERT_TRUE(first->Commit(KeptAt(3)).ok());
  const RpcError error = RpcErrorOf(second->Commit(KeptAt(4)));
  EXPECT_EQ(error.code, grpc::StatusCode::ABORTED);
  EXPECT_EQ(error.reason, "VERSION_CHANGED");
  EXPECT_EQ(error.metadata.at("current"), "1");
  EXPECT_THAT(error.message, HasSubstr("another process commits positions under the name books"));
  EXPECT_FALSE(IsPassing(error));
  EXPECT_EQ(service_.committed().position().sequence(), 3u);
}

TEST_F(ServerPositionKeeperTest, ACommitThatTookEffectThoughItsAnswerWasLostIsNotTakenForAnotherProcess) {
  const auto keeper = Keeper();
  ASSERT_TRUE(keeper->Load().ok());
  service_.AddCommitFailure(lost_, /*applied=*/true);
  service_.AddCommitFailure(lost_, /*applied=*/false);
  EXPECT_TRUE(IsPassing(RpcErrorOf(keeper->Commit(KeptAt(3)))));
  EXPECT_TRUE(IsPassing(RpcErrorOf(keeper->Commit(KeptAt(4)))));
  EXPECT_TRUE(keeper->Commit(KeptAt(5)).ok());
  EXPECT_EQ(service_.committed().position().sequence(), 5u);
  EXPECT_EQ(service_.committed().version(), 2u);
  EXPECT_TRUE(keeper->Commit(KeptAt(6)).ok());
}

TEST_F(ServerPositionKeeperTest, ACommitThatDidNotTakeEffectIsSentAgainWithTheSameVersion) {
  const auto keeper = Keeper();
  ASSERT_TRUE(keeper->Load().ok());
  service_.AddCommitFailure(lost_, /*applied=*/false);
  EXPECT_FALSE(keeper->Commit(KeptAt(3)).ok());
  EXPECT_TRUE(keeper->Commit(KeptAt(3)).ok());
  EXPECT_EQ(service_.commit_requests().at(1).expected_version(), 0u);
}

TEST_F(ServerPositionKeeperTest, AnotherProcessIsNoticedThoughAnAnswerWasLost) {
  const auto keeper = Keeper();
  ASSERT_TRUE(keeper->Load().ok());
  service_.AddCommitFailure(lost_, /*applied=*/true);
  EXPECT_FALSE(keeper->Commit(KeptAt(3)).ok());
  service_.Commit(At(9));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(RpcErrorOf(keeper->Commit(KeptAt(4))).reason, "VERSION_CHANGED") << "and stays so";
  }
  EXPECT_EQ(service_.committed().position().sequence(), 9u);
}

TEST_F(ServerPositionKeeperTest, ARestoredLogIsNoOtherProcess) {
  const auto keeper = Keeper();
  ASSERT_TRUE(keeper->Load().ok());
  for (const uint64_t sequence : {1, 2, 3}) ASSERT_TRUE(keeper->Commit(KeptAt(sequence)).ok());
  service_.Restore(At(2, "log2"), 2);
  EXPECT_TRUE(keeper->Commit({At(3, "log2"), {}}).ok());
  EXPECT_EQ(service_.committed().version(), 3u);
  EXPECT_EQ(service_.committed().position().log_id(), "log2");
  service_.Commit(At(4, "log2"));
  EXPECT_EQ(RpcErrorOf(keeper->Commit({At(5, "log2"), {}})).reason, "VERSION_CHANGED");
}

TEST_F(ServerPositionKeeperTest, AnotherProcessThatIsAheadInARestoredLogIsNoticed) {
  const auto keeper = Keeper();
  ASSERT_TRUE(keeper->Load().ok());
  for (const uint64_t sequence : {1, 2, 3}) ASSERT_TRUE(keeper->Commit(KeptAt(sequence)).ok());
  service_.Restore(At(9, "log2"), 2);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(RpcErrorOf(keeper->Commit({At(4, "log2"), {}})).reason, "VERSION_CHANGED");
  EXPECT_EQ(service_.committed().position().sequence(), 9u);
}

TEST_F(ServerPositionKeeperTest, TheServersWordsComeThrough) {
  service_.SetPositionsStatus(RichError(grpc::StatusCode::UNIMPLEMENTED, "no positions here", "NOT_BUILT_YET"));
  const auto keeper = Keeper();
  EXPECT_EQ(RpcErrorText(RpcErrorOf(keeper->Load().status())), "UNIMPLEMENTED NOT_BUILT_YET: no positions here");
  EXPECT_EQ(RpcErrorText(RpcErrorOf(keeper->Commit(KeptAt(1)))), "UNIMPLEMENTED NOT_BUILT_YET: no positions here");
}

TEST_F(ServerPositionKeeperTest, GoesOnWithTheChannelThatItsConnectionHas) {
  FakeEventService other;
  std::vector<std::string> addresses = {other.address(), service_.address()};
  const auto connection = std::make_shared<Connection>([&addresses] {
    auto channel = MakeChannel(addresses.back());
    addresses.pop_back();
    return channel;
  });
  const auto keeper = MakeServerPositionKeeper(connection, "books", absl::Seconds(30));
  EXPECT_TRUE(keeper->Commit(KeptAt(1)).ok());
  connection->Leave(connection->channel());
  EXPECT_TRUE(keeper->Load().ok());
  EXPECT_TRUE(keeper->Commit(KeptAt(2)).ok());
  EXPECT_THAT(service_.commit_requests(), SizeIs(1));
  EXPECT_THAT(other.commit_requests(), SizeIs(1));
}

TEST(ServerPositionKeeperWithoutServerTest, ALoadTellsTheCauseThenWaitsForTheServerAndCanBeStopped) {
  ReservedPort port;
  const auto keeper = MakeServerPositionKeeper(MakeConnection(port.address()), "books", absl::Hours(1));
  const RpcError refused = RpcErrorOf(keeper->Load().status());
  EXPECT_TRUE(IsUnreachable(refused)) << RpcErrorText(refused);
  std::thread stopper([&keeper] { keeper->StopLoading(); });
  EXPECT_EQ(keeper->Load().status().code(), absl::StatusCode::kCancelled);
  stopper.join();
  EXPECT_EQ(keeper->Load().status().code(), absl::StatusCode::kCancelled);
}

TEST(ServerPositionKeeperWithoutServerTest, AServerThatStartsLaterIsReached) {
  ReservedPort port;
  const auto keeper = MakeServerPositionKeeper(MakeConnection(port.address()), "books", absl::Seconds(30));
  EXPECT_FALSE(keeper->Load().ok());
  FakeEventService service(port.address());
  service.Commit(At(4));
  const auto kept = keeper->Load();
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ((*kept)->position.sequence(), 4u);
}

}  // namespace
}  // namespace refund_relay
