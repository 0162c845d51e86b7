// TlsStore: which set of files is in use, what is told of each, and sets that change while they are read.
#include "server/ops/tls_store.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/log_lines.h"
#include "tests/testing/test_authority.h"

namespace refund_relay {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// A store whose files are texts of the test, read by `read_`, and a watcher that looks only when told.
class TlsStoreTest : public ::testing::Test {
 protected:
  TlsStoreTest() { authority_.set_validity(60L * 24 * 3600); }

  void Put(const TestCertificate& pair) {
    texts_["cert"] = pair.certificate;
    texts_["key"] = pair.key;
  }
  TestCertificate NewPair() { return authority_.Issue("server", "DNS:localhost"); }

  absl::StatusOr<std::string> Read(const std::string& path) {
    ++reads_;
    if (before_read_) before_read_(path);
    const auto found = texts_.find(path);
    if (found == texts_.end()) return absl::NotFoundError(absl::StrCat("cannot read ", path));
    return found->second;
  }

  TestAuthority authority_;
  LogLines lines_;
  std::map<std::string, std::string> texts_;
  std::function<void(const std::string& path)> before_read_;
  int reads_ = 0;
  std::map<std::string, bool> loaded_;
  std::map<std::string, absl::Time> expiry_;
  TlsStore store_{"grpc",
                  {"cert", "key", "ca"},
                  {[this](const std::string& file, bool successful) { loaded_[file] = successful; },
                   [this](const std::string& cert, absl::Time expiry) { expiry_[cert] = expiry; }},
                  [this](const std::string& path) { return Read(path); }};
};

TEST_F(TlsStoreTest, BeforeALoadThereIsNothing) { EXPECT_EQ(store_.Snapshot(), nullptr); }

TEST_F(TlsStoreTest, ALoadReportsFilesAndDates) {
  Put(NewPair());
  texts_["ca"] = authority_.certificate();
  ASSERT_TRUE(store_.Load().ok());
  EXPECT_EQ(store_.Snapshot()->cert_pem, texts_["cert"]);
  EXPECT_EQ(loaded_, (std::map<std::string, bool>{{"cert", true}, {"key", true}, {"ca", true}}));
  ASSERT_THAT(expiry_, SizeIs(2));
  EXPECT_GT(expiry_["grpc"], absl::Now() + absl::Hours(24 * 59));
  EXPECT_LT(expiry_["grpc_client_ca"], absl::Now() + absl::Hours(2));
}

TEST_F(TlsStoreTest, ALoadThatFailsNamesFlagsFilesAndTheWayOutButNothingInThem) {
  Put(NewPair());
  texts_["ca"] = "some words";
  const absl::Status refused = store_.Load();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  const std::string message(refused.message());
  EXPECT_THAT(message, HasSubstr("--grpc_tls_cert_file"));
  EXPECT_THAT(message, HasSubstr("correct the files (cert, key, ca)"));
  EXPECT_THAT(message, Not(HasSubstr("some words")));
  EXPECT_EQ(store_.Snapshot(), nullptr);
  texts_.erase("ca");
  EXPECT_EQ(store_.Load().code(), absl::StatusCode::kNotFound);
}

TEST_F(TlsStoreTest, WhatExpiresWithinTwoWeeksIsWarnedOf) {
  texts_["ca"] = authority_.certificate();  // made for an hour
  Put(NewPair());
  ASSERT_TRUE(store_.Load().ok());
  const auto warnings = lines_.With("a certificate expires soon");
  ASSERT_THAT(warnings, SizeIs(1));
  EXPECT_THAT(warnings[0], HasSubstr("\"file\":\"ca\""));
  EXPECT_THAT(warnings[0], HasSubstr("\"level\":\"warning\""));
}

TEST_F(TlsStoreTest, ASetThatIsSwappedWhileItIsReadIsReadAgain) {
  texts_["ca"] = authority_.certificate();
  const TestCertificate before = NewPair();
  const TestCertificate after = NewPair();
  Put(before);
  // The key is that of the next set already, as after a swap of Kubernetes' link between the two reads.
  before_read_ = [&](const std::string& path) {
    if (path == "key" && reads_ == 2) Put(after);
  };
  ASSERT_TRUE(store_.Load().ok());
  EXPECT_EQ(store_.Snapshot()->cert_pem, after.certificate);
  EXPECT_EQ(store_.Snapshot()->key_pem.view(), after.key);
  EXPECT_EQ(reads_, 9) << "until two readings of the three files agree";
}

TEST_F(TlsStoreTest, ASetThatNeverSettlesIsGivenUp) {
  texts_["ca"] = authority_.certificate();
  before_read_ = [&](const std::string& path) {
    if (path == "key") Put(NewPair());
  };
  Put(NewPair());
  EXPECT_THAT(std::string(store_.Load().message()), HasSubstr("the key does not belong to the certificate"));
  EXPECT_EQ(reads_, 15);
}

class TlsReloadTest : public TlsStoreTest {
 protected:
  // The real watcher wants real files; it only has to notice that something changed there.
  void Reload() {
    // Paths that do not exist: known to the watcher as their content, so that each look tells a change.
    FileWatcher watcher(absl::InfiniteDuration());
    store_.Watch(watcher);
    watcher.CheckNow();
  }

  void SetUp() override {
    texts_["ca"] = authority_.certificate();
    Put(NewPair());
    ASSERT_TRUE(store_.Load().ok());
    loaded_.clear();
  }
};

TEST_F(TlsReloadTest, ANewPairReplacesTheOldOneAndHasAnotherVersion) {
  const auto before = store_.Snapshot();
  const std::string old_cert = before->cert_pem;
  Put(NewPair());
  Reload();
  EXPECT_EQ(store_.Snapshot()->cert_pem, texts_["cert"]);
  EXPECT_NE(store_.Snapshot()->version, before->version);
  EXPECT_EQ(before->cert_pem, old_cert) << "who uses it keeps it";
  EXPECT_EQ(loaded_, (std::map<std::string, bool>{{"cert", true}, {"key", true}, {"ca", true}}));
}

TEST_F(TlsReloadTest, WhatDidNotChangeIsNotReplaced) {
  const auto before = store_.Snapshot();
  Reload();
  EXPECT_EQ(store_.Snapshot(), before);
}

TEST_F(TlsReloadTest, EachBadSetKeepsTheOldOneLoudlyAndTellsWhichFilesAreNotInUse) {
  const auto before = store_.Snapshot();
  const std::string good_cert = texts_["cert"];
  const std::string good_key = texts_["key"];
  const std::string good_ca = texts_["ca"];
  const TestCertificate next = NewPair();
  struct Case {
    std::string cert, key, ca, cause;
    std::map<std::string, bool> loaded;
  };
  const std::vector<Case> cases = {
      {next.certificate, good_key, good_ca, "does not belong", {{"cert", false}, {"key", true}, {"ca", true}}},
      {good_cert, next.key, good_ca, "does not belong", {{"cert", true}, {"key", false}, {"ca", true}}},
      {next.certificate, next.key, "rubbish of a file", "client CA", {{"cert", false}, {"key", false}, {"ca", false}}},
      {"rubbish of a file", next.key, good_ca, "no PEM certificate", {{"cert", false}, {"key", false}, {"ca", true}}},
  };
  for (const Case& wrong : cases) {
    SCOPED_TRACE(wrong.cause);
    texts_ = {{"cert", wrong.cert}, {"key", wrong.key}, {"ca", wrong.ca}};
    const size_t lines_before = lines_.With("new certificate NOT used").size();
    Reload();
    EXPECT_EQ(store_.Snapshot(), before);
    EXPECT_EQ(loaded_, wrong.loaded);
    const auto lines = lines_.With("new certificate NOT used");
    ASSERT_GT(lines.size(), lines_before);
    EXPECT_THAT(lines.back(), HasSubstr(wrong.cause));
    EXPECT_THAT(lines.back(), HasSubstr("\"level\":\"error\""));
  }
  EXPECT_THAT(lines_.With("rubbish"), IsEmpty());
  EXPECT_THAT(lines_.With("BEGIN"), IsEmpty());
  texts_.erase("key");
  Reload();
  EXPECT_EQ(store_.Snapshot(), before);
  EXPECT_FALSE(loaded_["key"]);
}

}  // namespace
}  // namespace refund_relay
