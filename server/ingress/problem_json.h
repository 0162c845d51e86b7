// Problem documents: the JSON bodies of the ingress's refusals.
#ifndef REFUND_RELAY_SERVER_INGRESS_PROBLEM_JSON_H_
#define REFUND_RELAY_SERVER_INGRESS_PROBLEM_JSON_H_

#include <string>
#include <string_view>

namespace refund_relay {

// A problem+json document (RFC 9457) with title, status and detail, and `quarantine_id` if it is not empty. A pure
// function.
std::string ProblemJson(int status, std::string_view title, std::string_view detail,
                        std::string_view quarantine_id = {});

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_PROBLEM_JSON_H_
