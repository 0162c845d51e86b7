// Pending answers: each is given once, by what comes first.
#include "server/rpc/pending_answers.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace refund_relay {
namespace {

class PendingAnswersTest : public testing::Test {
 protected:
  // An answer that is noted as text.
  auto Note() {
    return [this](const absl::StatusOr<int>& value) {
      given_.push_back(value.ok() ? std::to_string(*value) : std::string(value.status().message()));
    };
  }

  std::shared_ptr<PendingAnswers> pending_ = std::make_shared<PendingAnswers>();
  std::vector<std::string> given_;
};

TEST_F(PendingAnswersTest, TheResultIsTheAnswer) {
  auto answer = pending_->Hold<int>(Note());
  EXPECT_TRUE(given_.empty());
  answer(7);
  EXPECT_EQ(given_, std::vector<std::string>{"7"});
  pending_->FailAll(absl::UnavailableError("stopped"));
  EXPECT_EQ(given_.size(), 1u) << "it was given";
}

TEST_F(PendingAnswersTest, WhatComesAfterFailAllIsDropped) {
  auto first = pending_->Hold<int>(Note());
  auto second = pending_->Hold<int>(Note());
  second(2);
  pending_->FailAll(absl::UnavailableError("stopped"));
  first(1);
  EXPECT_EQ(given_, (std::vector<std::string>{"2", "stopped"}));
}

TEST_F(PendingAnswersTest, AfterFailAllNothingIsHeld) {
  pending_->FailAll(absl::UnavailableError("stopped"));
  auto late = pending_->Hold<int>(Note());
  EXPECT_EQ(given_, std::vector<std::string>{"stopped"});
  late(1);
  EXPECT_EQ(given_.size(), 1u);
}

TEST_F(PendingAnswersTest, AnAnswerMayOutliveWhoGaveItOut) {
  auto answer = pending_->Hold<int>(Note());
  pending_.reset();
  answer(7);
  EXPECT_EQ(given_, std::vector<std::string>{"7"});
}

}  // namespace
}  // namespace refund_relay
