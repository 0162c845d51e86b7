#include "server/rpc/page_token.h"

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/log/event_log.h"

namespace refund_relay {
namespace {

namespace v1 = refundrelay::v1;

// What must be the same from page to page. The encoding of equal requests is equal within one build, which suffices: a
// token of another build is refused, and the client begins again.
template <typename Request>
std::string Fingerprint(const Request& request) {
  Request same = request;
  same.clear_page_token();
  same.clear_page_size();
  const std::string kind = absl::StrCat(Request::descriptor()->full_name(), "\n");
  return absl::StrCat(absl::Hex(EventHash(absl::StrCat(kind, same.SerializeAsString())), absl::kZeroPad16));
}

}  // namespace

template <typename Request>
std::string SealPageToken(const Request& request, std::string_view place) {
  return absl::WebSafeBase64Escape(absl::StrCat(Fingerprint(request), absl::string_view(place.data(), place.size())));
}

template <typename Request>
std::optional<std::string> OpenPageToken(const Request& request) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(request.page_token(), &bytes)) return std::nullopt;
  absl::string_view rest = bytes;
  if (!absl::ConsumePrefix(&rest, Fingerprint(request))) return std::nullopt;
  return std::string(rest);
}

template std::string SealPageToken(const v1::ListEventsRequest& request, std::string_view place);
template std::string SealPageToken(const v1::ListSubscribersRequest& request, std::string_view place);
template std::optional<std::string> OpenPageToken(const v1::ListEventsRequest& request);
template std::optional<std::string> OpenPageToken(const v1::ListSubscribersRequest& request);

std::string MakePageToken(const v1::ListEventsRequest& request, const v1::Position& position) {
  return SealPageToken(request, position.SerializeAsString());
}

std::optional<v1::Position> ReadPageToken(const v1::ListEventsRequest& request) {
  const std::optional<std::string> place = OpenPageToken(request);
  v1::Position position;
  if (!place.has_value() || !position.ParseFromString(*place)) return std::nullopt;
  return position;
}

}  // namespace refund_relay
