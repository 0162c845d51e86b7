#include "server/rpc/page_token.h"

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/log/event_log.h"

namespace refund_relay {
namespace {

// What must be the same from page to page. The encoding of equal requests is equal within one build, which suffices: a
// token of another build is refused, and the client begins again.
std::string Fingerprint(const refundrelay::v1::ListEventsRequest& request) {
  refundrelay::v1::ListEventsRequest same = request;
  same.clear_page_token();
  same.clear_page_size();
  return absl::StrCat(absl::Hex(EventHash(same.SerializeAsString()), absl::kZeroPad16));
}

}  // namespace

std::string MakePageToken(const refundrelay::v1::ListEventsRequest& request,
                          const refundrelay::v1::Position& position) {
  return absl::WebSafeBase64Escape(absl::StrCat(Fingerprint(request), position.SerializeAsString()));
}

std::optional<refundrelay::v1::Position> ReadPageToken(const refundrelay::v1::ListEventsRequest& request) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(request.page_token(), &bytes)) return std::nullopt;
  absl::string_view rest = bytes;
  if (!absl::ConsumePrefix(&rest, Fingerprint(request))) return std::nullopt;
  refundrelay::v1::Position position;
  if (!position.ParseFromArray(rest.data(), static_cast<int>(rest.size()))) return std::nullopt;
  return position;
}

}  // namespace refund_relay
