// PeerQuota: two limits, and room that comes back.
#include "server/ops/peer_quota.h"

#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace refund_relay {
namespace {

using Verdict = PeerQuota::Verdict;

PeerAddress Of(const std::string& text) { return PeerAddress::Of(boost::asio::ip::make_address(text)); }
const PeerAddress kOne = Of("192.0.2.1");
const PeerAddress kOther = Of("192.0.2.2");

TEST(PeerQuotaTest, OnePeerCannotTakeAll) {
  PeerQuota quota(4, 2);
  EXPECT_EQ(quota.Take(kOne), Verdict::kTaken);
  EXPECT_EQ(quota.Take(kOne), Verdict::kTaken);
  EXPECT_EQ(quota.Take(kOne), Verdict::kFullForPeer);
  EXPECT_EQ(quota.Take(kOther), Verdict::kTaken);
  EXPECT_EQ(quota.taken(), 3u);
}

TEST(PeerQuotaTest, AllTogetherAreLimited) {
  PeerQuota quota(2, 2);
  EXPECT_EQ(quota.Take(kOne), Verdict::kTaken);
  EXPECT_EQ(quota.Take(kOther), Verdict::kTaken);
  EXPECT_EQ(quota.Take(Of("192.0.2.3")), Verdict::kFull);
}

TEST(PeerQuotaTest, WhatIsGivenBackCanBeTakenAgain) {
  PeerQuota quota(2, 1);
  ASSERT_EQ(quota.Take(kOne), Verdict::kTaken);
  ASSERT_EQ(quota.Take(kOther), Verdict::kTaken);
  quota.GiveBack(kOne);
  EXPECT_EQ(quota.Take(kOther), Verdict::kFullForPeer);
  EXPECT_EQ(quota.Take(kOne), Verdict::kTaken);
  quota.GiveBack(kOne);
  quota.GiveBack(kOther);
  EXPECT_EQ(quota.taken(), 0u);
}

TEST(PeerQuotaTest, ByDefaultOnePeerMayHaveThreeQuarters) {
  EXPECT_EQ(PeerQuota(4096).limit_per_peer(), 3072u);
  EXPECT_EQ(PeerQuota(2).limit_per_peer(), 2u);
  EXPECT_EQ(PeerQuota(1).limit_per_peer(), 1u);
}

TEST(PeerQuotaTest, WaitsUntilNoneIsTaken) {
  PeerQuota quota(1);
  ASSERT_EQ(quota.Take(kOne), Verdict::kTaken);
  EXPECT_FALSE(quota.AwaitNone(absl::Now()));
  std::thread other([&quota] { quota.GiveBack(kOne); });
  EXPECT_TRUE(quota.AwaitNone(absl::Now() + absl::Seconds(30)));
  other.join();
}

}  // namespace
}  // namespace refund_relay
