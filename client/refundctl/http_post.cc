#include "client/refundctl/http_post.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace refund_relay {
namespace {

// Between two attempts to connect to a server that is not there yet.
constexpr absl::Duration kRefusedPause = absl::Milliseconds(100);
// The last attempt may take so long even if the time is over.
constexpr absl::Duration kLeastAttempt = absl::Milliseconds(100);

}  // namespace

absl::StatusOr<HttpAnswer> HttpPost(const HttpUrl& url, const std::vector<std::pair<std::string, std::string>>& headers,
                                    const std::string& body, absl::Duration timeout, const HttpTls& tls) {
  HttpClient::Request request{"POST", url, {{"User-Agent", "refundctl"}}, body, tls, timeout};
  request.headers.insert(request.headers.end(), headers.begin(), headers.end());
  HttpClient client;
  absl::StatusOr<HttpAnswer> answer = client.Send(request);
  if (answer.ok() || absl::IsInvalidArgument(answer.status())) return answer;
  return absl::Status(
      answer.status().code(),
      absl::StrCat(answer.status().message(), "; check that refund-relay runs and that --url names its HTTP address"));
}

absl::StatusOr<HttpAnswer> HttpPostOnceItListens(const HttpUrl& url,
                                                 const std::vector<std::pair<std::string, std::string>>& headers,
                                                 const std::string& body, absl::Duration timeout,
                                                 const std::function<void()>& on_refused, const HttpTls& tls) {
  const absl::Time deadline = absl::Now() + timeout;
  for (bool first = true;; first = false) {
    auto answer = HttpPost(url, headers, body, std::max(deadline - absl::Now(), kLeastAttempt), tls);
    if (answer.status().code() != absl::StatusCode::kFailedPrecondition || absl::Now() >= deadline) return answer;
    if (first) on_refused();
    absl::SleepFor(std::min(kRefusedPause, deadline - absl::Now()));
  }
}

}  // namespace refund_relay
