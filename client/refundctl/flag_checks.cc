#include "client/refundctl/flag_checks.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/refundctl/value_text.h"
#include "refund_relay/position_text.h"

namespace refund_relay {
namespace {

constexpr size_t kMaxSubscriberNameBytes = 63;

std::string Message(const absl::Status& status) {
  return std::string(status.message().data(), status.message().size());
}

}  // namespace

std::string CheckSubscriberName(const std::string& text) {
  const bool good =
      !text.empty() && text.size() <= kMaxSubscriberNameBytes && std::all_of(text.begin(), text.end(), [](char c) {
        return absl::ascii_islower(static_cast<unsigned char>(c)) ||
               absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '-';
      });
  if (good) return "";
  return absl::StrCat("\"", text, "\" is no subscriber name: 1 to 63 lower-case letters, digits and hyphens");
}

std::string CheckPosition(const std::string& text) { return Message(ParsePosition(text).status()); }

std::string CheckTimeOrAgo(const std::string& text) { return Message(ParseTimeOrAgo(text, absl::Now()).status()); }

std::string CheckDuration(const std::string& text) { return Message(ParsePositiveDuration(text).status()); }

std::string CheckCount(const std::string& text) {
  uint64_t count = 0;
  const bool digits =
      std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); });
  if (digits && absl::SimpleAtoi(text, &count)) return "";
  return absl::StrCat("\"", text, "\" is no count: write a whole number, 0 or greater");
}

std::string CheckAddress(const std::string& text) {
  const size_t colon = text.rfind(':');
  const std::string host = text.substr(0, colon);
  const std::string port = colon == std::string::npos ? "" : text.substr(colon + 1);
  uint32_t number = 0;
  const bool bare_ipv6 = host.find("::") != std::string::npos && host.find('[') == std::string::npos;
  const bool digits =
      std::all_of(port.begin(), port.end(), [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); });
  if (!host.empty() && host.back() != ':' && !bare_ipv6 && digits && absl::SimpleAtoi(port, &number) && number > 0 &&
      number <= 65535) {
    return "";
  }
  return absl::StrCat("\"", text, "\" is no address: write HOST:PORT, for example 127.0.0.1:50051 or [::1]:50051");
}

std::string CheckNotEmpty(const std::string& text) { return text.empty() ? "must not be empty" : ""; }

}  // namespace refund_relay
