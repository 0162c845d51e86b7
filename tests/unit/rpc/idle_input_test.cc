// IdleInput: what is too much without a call, and what is not.
#include "server/rpc/idle_input.h"

#include <string>

#include "gtest/gtest.h"

namespace refund_relay {
namespace {

const boost::asio::ip::tcp::endpoint kPeer(boost::asio::ip::make_address("192.0.2.1"), 5000);
const IdleInput::Connection kConnection{kPeer, 7};
constexpr char kGrpcPeer[] = "ipv4:192.0.2.1:5000";
const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);
const absl::Time kLater = kStart + absl::Milliseconds(100);
constexpr uint64_t kBound = IdleInput::kBytes;
constexpr uint64_t kAtOnce = IdleInput::kBytesAtOnce;

class IdleInputTest : public ::testing::Test {
 protected:
  IdleInputTest() {
    input_.Opened(kConnection);
    EXPECT_FALSE(TooMuch({}, kStart));
  }
  bool TooMuch(const TcpBytes& bytes, absl::Time now) { return input_.IsTooMuch(kConnection, bytes, now); }

  IdleInput input_;
};

TEST_F(IdleInputTest, AFloodIsCutAtOnce) {
  EXPECT_FALSE(TooMuch({.received = kAtOnce}, kLater));
  EXPECT_TRUE(TooMuch({.received = kAtOnce + 1}, kLater));
}

TEST_F(IdleInputTest, LessIsCutWhenItGoesOn) {
  EXPECT_FALSE(TooMuch({.received = kBound + 1}, kLater));
  EXPECT_FALSE(TooMuch({.received = 2 * kBound}, kLater + absl::Milliseconds(999)));
  EXPECT_TRUE(TooMuch({.received = 2 * kBound}, kLater + absl::Seconds(1)));
}

TEST_F(IdleInputTest, WhatHasCeasedIsNotCut) {
  EXPECT_FALSE(TooMuch({.received = kBound + 1}, kLater));
  EXPECT_FALSE(TooMuch({.received = kBound + 1}, kLater + absl::Seconds(1)));
}

TEST_F(IdleInputTest, ACallBeginsTheAccountAnew) {
  for (uint64_t i = 1; i <= 100; ++i) {
    input_.CallBegan(kGrpcPeer);
    EXPECT_FALSE(TooMuch({.received = i * 2 * kBound}, kStart + absl::Seconds(i)));
  }
  EXPECT_TRUE(TooMuch({.received = 200 * kBound + kAtOnce + 1}, kStart + absl::Seconds(100)));
}

TEST_F(IdleInputTest, ACallPaysForOneCallOnly) {
  EXPECT_FALSE(TooMuch({.received = kBound}, kLater));
  for (uint64_t i = 1; i < 10; ++i) {
    input_.CallBegan(kGrpcPeer);
    EXPECT_FALSE(TooMuch({.received = kBound + 2 * i * kBound}, kLater + i * absl::Milliseconds(100)));
  }
  input_.CallBegan(kGrpcPeer);
  EXPECT_TRUE(TooMuch({.received = kBound + 20 * kBound}, kLater + absl::Milliseconds(1200)));
}

TEST_F(IdleInputTest, CallsThatAreTakenLateCountAsWell) {
  input_.CallBegan(kGrpcPeer);
  EXPECT_FALSE(TooMuch({.received = 20 * kAtOnce}, kLater));
  for (int call = 0; call < 100; ++call) input_.CallBegan(kGrpcPeer);
  EXPECT_FALSE(TooMuch({.received = 21 * kAtOnce}, kLater + absl::Seconds(2)));
}

TEST_F(IdleInputTest, CallsOfOthersDoNotCount) {
  input_.CallBegan("ipv4:192.0.2.1:5001");
  input_.CallBegan("ipv4:192.0.2.2:5000");
  input_.CallBegan("unix:");
  EXPECT_TRUE(TooMuch({.received = kAtOnce + 1}, kLater));
}

TEST_F(IdleInputTest, WhatNobodyHasReadYetDoesNotCount) {
  EXPECT_FALSE(TooMuch({.received = 2 * kAtOnce, .unread = 2 * kAtOnce - kBound}, kLater));
}

TEST_F(IdleInputTest, AcknowledgingAFullStreamIsNotIdle) {
  const uint64_t sent = uint64_t{100} << 30;
  EXPECT_FALSE(TooMuch({.received = sent / 100, .acknowledged = sent}, kLater));
  EXPECT_TRUE(TooMuch({.received = sent / 2, .acknowledged = sent}, kLater));
}

TEST_F(IdleInputTest, AHealthCheckEachSecondMayGoOnForEver) {
  for (uint64_t second = 1; second <= 100'000; second += 1'000) {
    EXPECT_FALSE(TooMuch({.received = second * 300, .acknowledged = second * 100}, kStart + absl::Seconds(second)));
  }
}

TEST_F(IdleInputTest, AConnectionThatIsClosedIsForgotten) {
  input_.Closed(kConnection);
  input_.CallBegan(kGrpcPeer);
  EXPECT_FALSE(TooMuch({.received = 2 * kAtOnce}, kLater));
}

TEST_F(IdleInputTest, TheLateEndOfAnEarlierConnectionFromTheSamePortHidesNothing) {
  const IdleInput::Connection next{kPeer, 8};
  input_.Opened(next);
  EXPECT_FALSE(TooMuch({.received = kAtOnce + 1}, kLater)) << "the bytes of the one are not the other's";
  input_.Closed(kConnection);
  EXPECT_TRUE(input_.IsTooMuch(next, {.received = kAtOnce + 1}, kLater));
}

}  // namespace
}  // namespace refund_relay
