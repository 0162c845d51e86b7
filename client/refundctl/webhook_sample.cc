#include "client/refundctl/webhook_sample.h"

#include <cstdint>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace refund_relay {
namespace {

// Replaces the value of the first member `name` in `*json`. The samples write each of these members once, as
// `"name": value`, and none of the values holds a comma, a brace or an escape.
void ReplaceValue(std::string_view name, const std::string& value, std::string* json) {
  const std::string member = absl::StrCat("\"", std::string(name), "\": ");
  const size_t found = json->find(member);
  if (found == std::string::npos) return;
  const size_t start = found + member.size();
  json->replace(start, json->find_first_of(",\r\n}", start) - start, value);
}

}  // namespace

std::string MakeUnique(std::string_view sample, std::string_view refund_id, absl::Time now) {
  std::string json(sample);
  const std::string time = absl::FormatTime("\"%Y-%m-%d%ET%H:%M:%E3SZ\"", now, absl::UTCTimeZone());
  ReplaceValue("_id", absl::StrCat("\"", std::string(refund_id), "\""), &json);
  ReplaceValue("createdAt", time, &json);
  ReplaceValue("updatedAt", time, &json);
  ReplaceValue("created_at", absl::StrCat(absl::ToUnixSeconds(now)), &json);
  return json;
}

std::string RandomRefundId() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 3; ++i) absl::StrAppendFormat(&id, "%08x", static_cast<uint32_t>(random()));
  return id;
}

}  // namespace refund_relay
