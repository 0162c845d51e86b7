// Reads an access policy from JSON and says precisely what is wrong with it.
#ifndef REFUND_RELAY_SERVER_ACCESS_POLICY_READER_H_
#define REFUND_RELAY_SERVER_ACCESS_POLICY_READER_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "server/access/access_policy.h"

namespace refund_relay {

// The policy in `json`, whose form is docs/access-policy.schema.json. Pure; nothing is accepted that the schema
// refuses, because a right with a mistyped name would otherwise be missing, or a restriction.
//
// INVALID_ARGUMENT: not JSON (names the byte), a member twice, or not a policy (names each wrong place by its JSON
// Pointer, up to 20, and what is expected there). No message holds a value of the file.
absl::StatusOr<AccessPolicy> ReadAccessPolicy(std::string_view json);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_ACCESS_POLICY_READER_H_
