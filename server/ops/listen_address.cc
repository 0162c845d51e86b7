#include "server/ops/listen_address.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace refund_relay {
namespace {

namespace ip = boost::asio::ip;

absl::Status AddressError(std::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat("\"", absl::string_view(text.data(), text.size()),
                                                 "\" is not a listening address; accepted: an IP address or localhost, "
                                                 "and a port, such as 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080"));
}

// The port in decimal digits alone; false if it is none.
bool ParsePort(std::string_view text, uint16_t& port) {
  const auto end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, port);
  return !text.empty() && error == std::errc() && stopped == end;
}

}  // namespace

bool ListenAddress::IsLoopback() const {
  boost::system::error_code error;
  const auto address = ip::make_address(host, error);
  if (error) return false;
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return ip::make_address_v4(ip::v4_mapped, address.to_v6()).is_loopback();
  }
  return address.is_loopback();
}

std::string ListenAddress::ToString() const {
  return host.find(':') == std::string::npos ? absl::StrCat(host, ":", port) : absl::StrCat("[", host, "]:", port);
}

absl::StatusOr<ListenAddress> ParseListenAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return AddressError(text);
  ListenAddress parsed;
  if (!ParsePort(text.substr(colon + 1), parsed.port)) return AddressError(text);
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host == "localhost" && !bracketed) return parsed;
  boost::system::error_code error;
  const auto address = ip::make_address(std::string(host), error);
  if (error || address.is_v6() != bracketed) return AddressError(text);
  parsed.host = address.to_string();
  return parsed;
}

}  // namespace refund_relay
