// Files with credentials: how they are read, what is refused, what stays in force.
#include "server/ingress/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/ingress/credential_store.h"

namespace refund_relay {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(CredentialsTest, OneSecretALineNamedByFileAndLine) {
  const auto secrets = ParseSecretFile("/run/secrets/hooks", "\n  \nnew secret \t\r\n\nold:secret");
  ASSERT_TRUE(secrets.ok()) << secrets.status();
  ASSERT_EQ(secrets->size(), 2u);
  EXPECT_EQ((*secrets)[0].key, "hooks:3");
  EXPECT_EQ((*secrets)[0].secret.view(), "new secret");
  EXPECT_EQ((*secrets)[1].key, "hooks:5");
  EXPECT_EQ((*secrets)[1].secret.view(), "old:secret");
}

TEST(CredentialsTest, BasicPairsAreKeptAsDigests) {
  const auto pairs = ParseBasicFile("basic", "user:pass:word\n");
  ASSERT_TRUE(pairs.ok()) << pairs.status();
  ASSERT_EQ(pairs->size(), 1u);
  EXPECT_EQ((*pairs)[0].key, "basic:1");
  EXPECT_EQ((*pairs)[0].digest, Sha256({"user:pass:word"}));
}

TEST(CredentialsTest, ErrorsNameFileAndLineAndNeverTheContent) {
  for (const std::string_view content : {"good:one\nhush", "good:one\n:hush", "good:one\nhush:", "good:one\nhush\x01:x",
                                         "good:one\n\xef\xbb\xbfhush:x"}) {
    const auto pairs = ParseBasicFile("/etc/basic", content);
    EXPECT_EQ(pairs.status().code(), absl::StatusCode::kInvalidArgument) << content;
    EXPECT_THAT(std::string(pairs.status().message()), HasSubstr("/etc/basic, line 2"));
    EXPECT_THAT(std::string(pairs.status().message()), Not(HasSubstr("hush")));
  }
}

TEST(CredentialsTest, EmptyFileIsAnError) {
  EXPECT_EQ(ParseSecretFile("s", "").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ParseSecretFile("s", " \n\r\n").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ParseBasicFile("s", "\n").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(CredentialStoreTest, JoinsFilesInOrderAndSwapsSnapshots) {
  CredentialStore store({"a", "b"}, {"c"});
  ASSERT_TRUE(store.Update("b", "two").ok());
  ASSERT_TRUE(store.Update("a", "one").ok());
  ASSERT_TRUE(store.Update("c", "u:p").ok());
  const auto before = store.Snapshot();
  ASSERT_EQ(before->secrets.size(), 2u);
  EXPECT_EQ(before->secrets[0].key, "a:1");
  EXPECT_EQ(before->basic_pairs.size(), 1u);
  ASSERT_TRUE(store.Update("a", "three\none").ok());
  EXPECT_EQ(before->secrets.size(), 2u) << "a snapshot never changes";
  EXPECT_EQ(store.Snapshot()->secrets.size(), 3u);
}

TEST(CredentialStoreTest, KeepsTheLastGoodContent) {
  CredentialStore store({"a"}, {});
  ASSERT_TRUE(store.Update("a", "good").ok());
  EXPECT_EQ(store.Update("a", "").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(store.Update("a", "good\nbad\x02").code(), absl::StatusCode::kInvalidArgument);
  store.ReportUnreadable("a", absl::PermissionDeniedError("a: Permission denied"));
  ASSERT_EQ(store.Snapshot()->secrets.size(), 1u);
  EXPECT_EQ(store.Snapshot()->secrets[0].secret.view(), "good");
  EXPECT_TRUE(store.CheckComplete().ok());
}

TEST(CredentialStoreTest, IsCompleteOnlyWhenEveryFileWasRead) {
  EXPECT_THAT(CredentialStore({}, {}).CheckComplete().ToString(), HasSubstr("--webhook_secret_files"));
  CredentialStore store({"a"}, {"b"});
  ASSERT_TRUE(store.Update("a", "x").ok());
  EXPECT_EQ(store.CheckComplete().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(store.CheckComplete().ToString(), HasSubstr("from b"));
  ASSERT_TRUE(store.Update("b", "u:p").ok());
  EXPECT_TRUE(store.CheckComplete().ok());
  EXPECT_EQ(store.Update("other", "x").code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace refund_relay
