// WebhookRequests: bodies from the vendor's sample, signed once before the clock runs.
#include "tests/bench/webhook_requests.h"

#include <random>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/refundctl/webhook_sample.h"
#include "server/ingress/credentials.h"

namespace refund_relay::bench {
namespace {

constexpr size_t kSignatureBytes = 64;

std::string Compact(std::string_view json) {
  std::string compact;
  bool in_string = false;  // the samples hold no escapes
  for (const char c : json) {
    if (c == '"') in_string = !in_string;
    if (in_string || std::string_view(" \t\r\n").find(c) == std::string_view::npos) compact += c;
  }
  return compact;
}

}  // namespace

WebhookRequests::WebhookRequests(std::string_view host, std::string_view path, std::string_view secret)
    : hmac_({{.key = "bench", .secret = SecretText(secret)}}), process_(std::random_device()()) {
  const std::string id(kIdBytes, '0');
  const std::string body = Compact(MakeUnique(*WebhookSample("pass"), id, absl::Now()));
  request_ = absl::StrCat("POST ", std::string(path), " HTTP/1.1\r\nHost: ", std::string(host),
                          "\r\nAccept: application/json, text/plain, */*\r\n"
                          "Content-Type: application/json;charset=utf-8\r\nUser-Agent: axios/0.21.1\r\n"
                          "X-Conscent-Signature: ");
  signature_at_ = request_.size();
  absl::StrAppend(&request_, std::string(kSignatureBytes, '0'), "\r\nContent-Length: ", body.size(), "\r\n\r\n");
  body_at_ = request_.size();
  id_at_ = body_at_ + body.find(id);
  request_ += body;
}

std::string_view WebhookRequests::Next() {
  // Seconds, process, counter: the parts of the vendor's ids.
  const std::string id = absl::StrFormat("%08x%08x%08x", absl::ToUnixSeconds(absl::Now()), process_, count_++);
  request_.replace(id_at_, kIdBytes, id);
  const Sha256Digest digest = hmac_.Compute(0, std::string_view(request_).substr(body_at_));
  request_.replace(
      signature_at_, kSignatureBytes,
      absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest.data()), digest.size())));
  return request_;
}

}  // namespace refund_relay::bench
