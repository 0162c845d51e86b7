// Anything as a webhook: what is accepted is lossless, what is refused is refused in a documented way.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/translate/personal_data.h"
#include "server/translate/webhook_parser.h"
#include "server/translate/webhook_writer.h"
#include "tests/testing/json_equal.h"

namespace refund_relay {
namespace {

void Require(bool condition, const std::string& what) {
  if (condition) return;
  std::fprintf(stderr, "webhook_parser_fuzz: %s\n", what.c_str());
  std::abort();
}

void Check(std::string_view body) {
  const absl::StatusOr<ParsedWebhook> webhook = ParseWebhook(body, {absl::FromUnixSeconds(1709187682), ""});
  if (!webhook.ok()) {
    const absl::StatusCode code = webhook.status().code();
    Require(code == absl::StatusCode::kInvalidArgument || code == absl::StatusCode::kFailedPrecondition,
            "another code: " + webhook.status().ToString());
    Require(!webhook.status().message().empty(), "no message");
    return;
  }
  refundrelay::v1::RefundEvent event;
  const std::string encoded = webhook->event.SerializeAsString();
  Require(event.ParseFromString(encoded), "the event does not parse back");
  const absl::StatusOr<std::string> json = WriteWebhook(event);
  Require(json.ok(), "not rendered: " + json.status().ToString());
  const std::string difference = testing::JsonDifference(body, *json);
  Require(difference.empty(), "not lossless at " + difference);
  Require(event.ParseFromString(OmitPersonalData(encoded)), "the event without personal data does not parse");
  Require(!event.has_user() && !event.has_client_info() && event.extra_fields().empty(), "personal data stayed");
  Require(WriteWebhook(event).ok(), "the event without personal data is not rendered");
}

}  // namespace
}  // namespace refund_relay

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  refund_relay::Check(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
