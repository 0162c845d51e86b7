// The table from results to HTTP: labels, phrases, and which error becomes which row.
#include "server/ingress/http_status_table.h"

#include <gtest/gtest.h>

#include <set>

#include "server/ingress/http_answer.h"

namespace refund_relay {
namespace {

TEST(HttpStatusTableTest, LabelsAreUniqueAndStatusesHaveAPhrase) {
  std::set<std::string_view> labels;
  for (const HttpStatusRow& row : HttpStatusTable()) {
    EXPECT_TRUE(labels.insert(row.label).second) << row.label;
    EXPECT_NE(ReasonPhrase(row.status), "Error") << row.status;
    EXPECT_EQ(row.retry_after_seconds > 0, row.status == 429 || row.status == 503) << row.label;
  }
}

TEST(HttpStatusTableTest, FaultsOfOursAreNever4xx) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "x");
    EXPECT_GE(HttpStatusOf(ResultOfPublish(status)).status, 500) << status;
    const bool of_the_body = absl::IsInvalidArgument(status) || absl::IsFailedPrecondition(status);
    EXPECT_EQ(HttpStatusOf(ResultOfParse(status)).status < 500, of_the_body) << status;
  }
}

TEST(HttpStatusTableTest, Mapping) {
  EXPECT_EQ(ResultOfPublish(absl::ResourceExhaustedError("")), WebhookResult::kOverloaded);
  EXPECT_EQ(ResultOfPublish(absl::UnavailableError("")), WebhookResult::kUnavailable);
  EXPECT_EQ(ResultOfPublish(absl::AbortedError("")), WebhookResult::kUnavailable);
  EXPECT_EQ(ResultOfPublish(absl::InternalError("")), WebhookResult::kInternalError);
  EXPECT_EQ(HttpStatusOf(ResultOfParse(absl::InvalidArgumentError(""))).status, 400);
  EXPECT_EQ(HttpStatusOf(ResultOfParse(absl::FailedPreconditionError(""))).status, 422);
  for (const int status : {400, 408, 413, 431}) EXPECT_EQ(HttpStatusOf(ResultOfHttpStatus(status)).status, status);
}

}  // namespace
}  // namespace refund_relay
