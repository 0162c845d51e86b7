#include "server/rpc/page_token.h"

#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/log/event_log.h"

namespace refund_relay {
namespace {

const google::protobuf::FieldDescriptor* Field(const google::protobuf::Message& request, const char* name) {
  return request.GetDescriptor()->FindFieldByName(name);
}

// What must be the same from page to page. The encoding of equal requests is equal within one build, which suffices: a
// token of another build is refused, and the client begins again.
std::string Fingerprint(const google::protobuf::Message& request) {
  const std::unique_ptr<google::protobuf::Message> same(request.New());
  same->CopyFrom(request);
  for (const char* name : {"page_token", "page_size"})
    same->GetReflection()->ClearField(same.get(), Field(*same, name));
  return absl::StrCat(absl::Hex(EventHash(same->SerializeAsString()), absl::kZeroPad16));
}

}  // namespace

uint32_t CheckPageSize(uint32_t asked, RequestViolations& violations) {
  if (asked > kMostPageSize) {
    violations.Add("page_size", absl::StrCat("must be at most ", kMostPageSize, ", or 0 for ", kDefaultPageSize));
  }
  return asked == 0 ? kDefaultPageSize : asked;
}

std::string MakePageToken(const google::protobuf::Message& request, std::string_view place) {
  return absl::WebSafeBase64Escape(absl::StrCat(Fingerprint(request), absl::string_view(place.data(), place.size())));
}

std::optional<std::string> ReadPageToken(const google::protobuf::Message& request, RequestViolations& violations) {
  const std::string token = request.GetReflection()->GetString(request, Field(request, "page_token"));
  if (token.empty()) return std::string();
  std::string bytes;
  absl::string_view rest;
  if (absl::WebSafeBase64Unescape(token, &bytes)) rest = bytes;
  if (absl::ConsumePrefix(&rest, Fingerprint(request))) return std::string(rest);
  violations.Add("page_token", "is not of this list: repeat the request that gave it, with the token added");
  return std::nullopt;
}

}  // namespace refund_relay
