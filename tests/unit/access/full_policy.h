// A policy with every member that there is.
#ifndef REFUND_RELAY_TESTS_UNIT_ACCESS_FULL_POLICY_H_
#define REFUND_RELAY_TESTS_UNIT_ACCESS_FULL_POLICY_H_

namespace refund_relay {

// The hashes are those of `token-of-the-books-1234567` and `token-of-support-123456789`.
inline constexpr char kFullPolicy[] = R"({
  "$schema": "access-policy.schema.json",
  "subscribers": {
    "books": {
      "description": "books the refunds",
      "certificates": ["dns:books.internal", "uri:spiffe://example.org/ns/books/sa/books"],
      "service_accounts": ["payments/books"],
      "token_hashes": ["sha256:7b1ea639ff9f0df0165e33185d6705646e3b92fb37632879ef202a70bfb5c4fa"],
      "events": {"types": ["pass", "subscription"], "names": ["refunded.bundle"]},
      "personal_data": false
    },
    "support": {
      "token_hashes": ["sha256:2cb794e536654732f5073a8f293ad89bd673e2fa21baf4bc73b501a8be3a8ece"],
      "events": "all",
      "personal_data": true,
      "administer": true,
      "commit_for_others": true,
      "look_up_by_refund": true
    },
    "gone": {}
  }
})";

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_UNIT_ACCESS_FULL_POLICY_H_
