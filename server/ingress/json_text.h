// JSON of the ingress's answers.
#ifndef REFUND_RELAY_SERVER_INGRESS_JSON_TEXT_H_
#define REFUND_RELAY_SERVER_INGRESS_JSON_TEXT_H_

#include <string>
#include <string_view>

namespace refund_relay {

// Appends `text` as a JSON string. The result is ASCII: bytes above it come out as `?`, because the only texts that
// hold some are details about a body that may not be UTF-8.
void AppendJsonString(std::string_view text, std::string& out);

// A problem+json document (RFC 9457) with title, status and detail.
std::string ProblemJson(int status, std::string_view title, std::string_view detail);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_JSON_TEXT_H_
