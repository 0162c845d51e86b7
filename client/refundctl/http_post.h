// A small HTTP client: one POST, one answer.
#ifndef REFUND_RELAY_CLIENT_REFUNDCTL_HTTP_POST_H_
#define REFUND_RELAY_CLIENT_REFUNDCTL_HTTP_POST_H_

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace refund_relay {

// An `http://host[:port]/path` URL in parts.
struct HttpUrl {
  std::string host;  // Without the brackets of an IPv6 address.
  std::string port;
  std::string authority;  // As the Host header carries it.
  std::string target;     // Path and query.
};

// - INVALID_ARGUMENT: not of that form; https is not supported yet. Pure.
absl::StatusOr<HttpUrl> ParseHttpUrl(std::string_view text);

struct HttpAnswer {
  int status = 0;
  std::string reason;
  std::string body;
};

// Posts `body` with `headers` beside Host, User-Agent and Content-Length. Blocks for `timeout` at most, name lookup
// aside.
// - FAILED_PRECONDITION: nothing listens there, so nothing was sent. UNAVAILABLE: no connection for another reason, or
//   it broke. DEADLINE_EXCEEDED: no whole answer in time.
absl::StatusOr<HttpAnswer> HttpPost(const HttpUrl& url, const std::vector<std::pair<std::string, std::string>>& headers,
                                    const std::string& body, absl::Duration timeout);

// The same, but tries again while nothing listens there, until `timeout` has passed: for a server that is just
// starting. Never sends twice. `on_refused` is called once, after the first refusal.
absl::StatusOr<HttpAnswer> HttpPostOnceItListens(const HttpUrl& url,
                                                 const std::vector<std::pair<std::string, std::string>>& headers,
                                                 const std::string& body, absl::Duration timeout,
                                                 const std::function<void()>& on_refused);

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_REFUNDCTL_HTTP_POST_H_
