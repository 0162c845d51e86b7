// The credentials that authentic webhooks carry, as read from secret files.
#ifndef REFUND_RELAY_SERVER_INGRESS_CREDENTIALS_H_
#define REFUND_RELAY_SERVER_INGRESS_CREDENTIALS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/ingress/hmac_sha256.h"
#include "server/ops/secret_text.h"
#include "server/translate/sha256.h"

namespace refund_relay {

// Names of keys are `<file base name>:<line>`: they may stand in logs and metrics.
struct WebhookSecret {
  std::string key;
  SecretText secret;
};

// A `user:password` pair, kept only as its SHA-256: two digests compare in constant time whatever the lengths were.
struct BasicPair {
  std::string key;
  Sha256Digest digest;
};

// An immutable snapshot; what changes is which one is current. Secrets are wiped with the last one that has them.
struct Credentials {
  std::vector<WebhookSecret> secrets;
  HmacPool hmacs;  // of `secrets`
  std::vector<BasicPair> basic_pairs;
};

// Both read one credential a line; white space at line ends and empty lines are ignored. INVALID_ARGUMENT names the
// file and the line and never what stands there: no credential at all, a control character (a byte-order mark too), or
// a pair without a user, a colon or a password.
absl::StatusOr<std::vector<WebhookSecret>> ParseSecretFile(std::string_view path, std::string_view content);
absl::StatusOr<std::vector<BasicPair>> ParseBasicFile(std::string_view path, std::string_view content);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_CREDENTIALS_H_
