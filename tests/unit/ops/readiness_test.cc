// Readiness: which checks decide, which are left out, how it is told.
#include "server/ops/readiness.h"

#include "gtest/gtest.h"
#include "tests/unit/ops/flat_json.h"

namespace refund_relay {
namespace {

absl::Status Ready() { return absl::OkStatus(); }
absl::Status DiskFull() { return absl::UnavailableError("the disk is \"full\""); }

TEST(ReadinessTest, ReadyWhenEveryCheckIs) {
  const auto report = CheckReadiness({{"storage", Ready}, {"ingress", Ready}}, "");
  EXPECT_TRUE(report.ready);
  EXPECT_EQ(report.json,
            R"({"ready":true,"checks":[{"name":"storage","ready":true},{"name":"ingress","ready":true}]})");
}

TEST(ReadinessTest, TellsEachReason) {
  const auto report = CheckReadiness({{"storage", DiskFull}, {"ingress", Ready}}, "");
  EXPECT_FALSE(report.ready);
  auto json = FlatJson(report.json);
  EXPECT_EQ(json["ready"], "false");
  EXPECT_EQ(json["checks.0.name"], "storage");
  EXPECT_EQ(json["checks.0.ready"], "false");
  EXPECT_EQ(json["checks.0.reason"], "the disk is \"full\"");
  EXPECT_EQ(json["checks.1.ready"], "true");
}

TEST(ReadinessTest, AnExcludedCheckIsShownButDoesNotCount) {
  const auto report = CheckReadiness({{"storage", DiskFull}, {"ingress", Ready}}, "exclude=storage");
  EXPECT_TRUE(report.ready);
  auto json = FlatJson(report.json);
  EXPECT_EQ(json["checks.0.excluded"], "true");
  EXPECT_EQ(json["checks.0.reason"], "the disk is \"full\"");
  EXPECT_EQ(json.count("checks.1.excluded"), 0u);
}

TEST(ReadinessTest, OnlyTheNamedChecksAreExcluded) {
  EXPECT_FALSE(CheckReadiness({{"storage", Ready}, {"drain", DiskFull}}, "exclude=storage").ready);
  EXPECT_FALSE(CheckReadiness({{"storage", DiskFull}}, "include=storage").ready);
  EXPECT_FALSE(CheckReadiness({{"storage", DiskFull}}, "exclude=").ready);
}

TEST(ReadinessTest, SeveralNamesEitherWay) {
  for (const char* query : {"exclude=a,b", "exclude=a&exclude=b", "verbose&exclude=b,a,b"}) {
    EXPECT_TRUE(CheckReadiness({{"a", DiskFull}, {"b", DiskFull}}, query).ready) << query;
  }
}

TEST(ReadinessTest, AMistypedNameShows) {
  const auto report = CheckReadiness({{"storage", Ready}}, "exclude=strage,\x01");
  auto json = FlatJson(report.json);
  EXPECT_EQ(json["unknown_excluded.0"], "\x01");
  EXPECT_EQ(json["unknown_excluded.1"], "strage");
}

}  // namespace
}  // namespace refund_relay
