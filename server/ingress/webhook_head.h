// What a webhook's head must be like before its body is read.
#ifndef REFUND_RELAY_SERVER_INGRESS_WEBHOOK_HEAD_H_
#define REFUND_RELAY_SERVER_INGRESS_WEBHOOK_HEAD_H_

#include <cstddef>
#include <optional>
#include <string_view>

#include "server/ingress/http_status_table.h"
#include "server/ingress/request_head.h"

namespace refund_relay {

inline constexpr std::string_view kWebhookPath = "/webhooks/refund";

struct HeadRefusal {
  WebhookResult result;
  std::string_view detail;  // lives for ever
};

// The checks of contract.md section 3 that need no credentials, in its order: 404, 405, 411, 415, 417, 413. A pure
// function.
std::optional<HeadRefusal> CheckWebhookHead(const RequestHead& head, size_t max_body_bytes);

// `application/json` with any well-formed parameters, of which a charset must be utf-8.
bool IsJsonMediaType(std::string_view value);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_WEBHOOK_HEAD_H_
