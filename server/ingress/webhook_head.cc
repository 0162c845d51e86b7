#include "server/ingress/webhook_head.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace refund_relay {
namespace {

absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

bool IsTokenChar(unsigned char c) {
  return absl::ascii_isalnum(c) ||
         (c != 0 && std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos);
}

void SkipSpace(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
}

std::string_view TakeToken(std::string_view& text) {
  size_t size = 0;
  while (size < text.size() && IsTokenChar(static_cast<unsigned char>(text[size]))) ++size;
  const std::string_view token = text.substr(0, size);
  text.remove_prefix(size);
  return token;
}

// A token or a quoted string, unquoted. False if it is neither.
bool TakeValue(std::string_view& text, std::string& value) {
  value.clear();
  if (text.empty() || text.front() != '"') {
    value = TakeToken(text);
    return !value.empty();
  }
  text.remove_prefix(1);
  while (!text.empty() && text.front() != '"') {
    if (text.front() == '\\') text.remove_prefix(1);
    if (text.empty()) return false;
    value.push_back(text.front());
    text.remove_prefix(1);
  }
  if (text.empty()) return false;
  text.remove_prefix(1);
  return true;
}

bool HasJsonType(const RequestHead& head) {
  const size_t types = head.Count("Content-Type");
  return types == 0 || (types == 1 && IsJsonMediaType(head.Value("Content-Type")));
}

bool HasPlainEncoding(const RequestHead& head) {
  bool plain = true;
  head.ForEach("Content-Encoding",
               [&plain](std::string_view value) { plain = plain && absl::EqualsIgnoreCase(Absl(value), "identity"); });
  return plain;
}

bool HasKnownExpectations(const RequestHead& head) {
  bool known = true;
  head.ForEach("Expect", [&known](std::string_view value) {
    known = known && absl::EqualsIgnoreCase(Absl(value), "100-continue");
  });
  return known;
}

}  // namespace

std::optional<HeadRefusal> CheckWebhookHead(const RequestHead& head, size_t max_body_bytes) {
  if (head.path() != kWebhookPath) {
    return HeadRefusal{WebhookResult::kNotFound, "webhooks go to /webhooks/refund"};
  }
  if (head.method() != "POST") {
    return HeadRefusal{WebhookResult::kMethodNotAllowed, "webhooks are sent by POST"};
  }
  if (!head.chunked && !head.content_length.has_value()) {
    return HeadRefusal{WebhookResult::kLengthRequired, "send Content-Length, or Transfer-Encoding: chunked"};
  }
  if (!HasJsonType(head)) {
    return HeadRefusal{WebhookResult::kUnsupportedType,
                       "Content-Type must be application/json (charset utf-8) or absent"};
  }
  if (!HasPlainEncoding(head)) {
    return HeadRefusal{WebhookResult::kUnsupportedType, "Content-Encoding must be identity or absent"};
  }
  if (!HasKnownExpectations(head)) {
    return HeadRefusal{WebhookResult::kExpectationFailed, "the only expectation met is 100-continue"};
  }
  if (head.content_length.has_value() && *head.content_length > max_body_bytes) {
    return HeadRefusal{WebhookResult::kTooLarge, "the body is larger than --max_body_bytes"};
  }
  return std::nullopt;
}

bool IsJsonMediaType(std::string_view value) {
  constexpr std::string_view kType = "application/json";
  if (!absl::EqualsIgnoreCase(Absl(value.substr(0, kType.size())), Absl(kType))) return false;
  value.remove_prefix(kType.size());
  std::string parameter;
  while (true) {
    SkipSpace(value);
    if (value.empty()) return true;
    if (value.front() != ';') return false;
    value.remove_prefix(1);
    SkipSpace(value);
    if (value.empty() || value.front() == ';') continue;  // an empty parameter: RFC 9110, 5.6.6
    const std::string_view name = TakeToken(value);
    if (name.empty() || value.empty() || value.front() != '=') return false;
    value.remove_prefix(1);
    if (!TakeValue(value, parameter)) return false;
    if (absl::EqualsIgnoreCase(Absl(name), "charset") && !absl::EqualsIgnoreCase(parameter, "utf-8")) return false;
  }
}

}  // namespace refund_relay
