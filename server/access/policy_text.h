// An access policy in plain words.
#ifndef REFUND_RELAY_SERVER_ACCESS_POLICY_TEXT_H_
#define REFUND_RELAY_SERVER_ACCESS_POLICY_TEXT_H_

#include <string>
#include <vector>

#include "server/access/access_policy.h"

namespace refund_relay {

// What `policy` lets `subscriber`, one of its names, see and do: sentences without a full stop. No hash is among them.
// Pure.
std::vector<std::string> DescribeSubscriber(const AccessPolicy& policy, const SubscriberPolicy& subscriber);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_ACCESS_POLICY_TEXT_H_
