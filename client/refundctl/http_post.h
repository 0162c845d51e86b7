// Posts a webhook by HTTP.
#ifndef REFUND_RELAY_CLIENT_REFUNDCTL_HTTP_POST_H_
#define REFUND_RELAY_CLIENT_REFUNDCTL_HTTP_POST_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/ops/http_client.h"

namespace refund_relay {

using HttpAnswer = HttpClient::Answer;

// Posts `body` with `headers` beside Host, User-Agent and Content-Length. Blocks for `timeout` at most, name lookup
// aside. INVALID_ARGUMENT: `tls.ca_file` cannot be used.
// - FAILED_PRECONDITION: nothing listens there, so nothing was sent. UNAVAILABLE: no connection for another reason, or
//   it broke. DEADLINE_EXCEEDED: no whole answer in time.
absl::StatusOr<HttpAnswer> HttpPost(const HttpUrl& url, const std::vector<std::pair<std::string, std::string>>& headers,
                                    const std::string& body, absl::Duration timeout, const HttpTls& tls = {});

// The same, but tries again while nothing listens there, until `timeout` has passed: for a server that is just
// starting. Never sends twice. `on_refused` is called once, after the first refusal.
absl::StatusOr<HttpAnswer> HttpPostOnceItListens(const HttpUrl& url,
                                                 const std::vector<std::pair<std::string, std::string>>& headers,
                                                 const std::string& body, absl::Duration timeout,
                                                 const std::function<void()>& on_refused, const HttpTls& tls = {});

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_REFUNDCTL_HTTP_POST_H_
