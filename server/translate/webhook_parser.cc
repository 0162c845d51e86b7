// How: one pass sorts the body's members by the schema; then each known one is set typed, and whatever rendering would
// not give back exactly is added to the extra fields in its own text.
#include "server/translate/webhook_parser.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/translate/event_id.h"
#include "server/translate/event_names.h"
#include "server/translate/json_pointer.h"
#include "server/translate/json_reader.h"
#include "server/translate/sha256.h"
#include "server/translate/timestamps.h"
#include "server/translate/typed_fields.h"
#include "server/translate/webhook_members.h"
#include "server/translate/webhook_schema.h"

namespace refund_relay {
namespace {

using refundrelay::v1::ExtraField;
using refundrelay::v1::RefundEvent;

constexpr size_t kMaxRequiredStringBytes = 128;
constexpr char kOtherDrift[] = "other";

absl::Status Expected(Member member, const char* what) {
  return absl::FailedPreconditionError(absl::StrCat(std::string(SchemaOf(member).path), ": ", what, " is expected"));
}

bool IsRequiredString(const BodyValue* value) {
  return value != nullptr && value->kind == JsonKind::kString && !value->text.empty() &&
         value->text.size() <= kMaxRequiredStringBytes;
}

// Refuses what is no refund event; amounts and currencies that are present are judged when they are set.
absl::Status CheckRequired(const WebhookMembers& members) {
  const BodyValue* const root = members.Find(Member::kRoot);
  if (root == nullptr || root->kind != JsonKind::kObject) {
    return absl::FailedPreconditionError("the webhook: a JSON object is expected");
  }
  const BodyValue* const event = members.Find(Member::kEvent);
  if (!IsRequiredString(event) || event->text.substr(0, kEventNamePrefix.size()) != kEventNamePrefix) {
    return Expected(Member::kEvent, "a string of at most 128 bytes that starts with \"refunded.\"");
  }
  for (const Member object : {Member::kPayload, Member::kRefund}) {
    const BodyValue* const value = members.Find(object);
    if (value == nullptr || value->kind != JsonKind::kObject) return Expected(object, "an object");
  }
  if (!IsRequiredString(members.Find(Member::kRefundId))) {
    return Expected(Member::kRefundId, "a string of 1 to 128 bytes");
  }
  if (members.Find(Member::kRefundAmount) == nullptr) return Expected(Member::kRefundAmount, "a number");
  if (members.Find(Member::kRefundCurrency) == nullptr) {
    return Expected(Member::kRefundCurrency, "a string of three letters");
  }
  return absl::OkStatus();
}

// The message that keeps the extra fields of members of `object`.
ExtraField& AddExtraField(Member object, RefundEvent& event) {
  for (; object != Member::kRoot; object = SchemaOf(object).parent) {
    if (object == Member::kUser) return *event.mutable_user()->add_extra_fields();
    if (object == Member::kClientInfo) return *event.mutable_client_info()->add_extra_fields();
  }
  return *event.add_extra_fields();
}

absl::Status SetMembers(std::string_view body, const WebhookMembers& members, ParsedWebhook& webhook) {
  for (const SchemaMember& member : Schema()) {
    const BodyValue* const value = members.Find(member.member);
    if (value == nullptr) continue;
    const absl::StatusOr<Carried> carried = SetTyped(member, *value, members.contains(), webhook.event);
    if (!carried.ok()) return carried.status();
    if (*carried == Carried::kExactly) continue;
    ExtraField& extra = AddExtraField(member.parent, webhook.event);
    *extra.mutable_path() = member.path;
    *extra.mutable_json() = OwnText(body, *value);
    if (*carried == Carried::kMistyped) webhook.drift.push_back(DriftName(member));
  }
  for (const UnknownMember& unknown : members.unknown()) {
    ExtraField& extra = AddExtraField(unknown.parent, webhook.event);
    *extra.mutable_path() = SchemaOf(unknown.parent).path;
    AppendPointerStep(*extra.mutable_path(), unknown.name);
    *extra.mutable_json() = OwnText(body, unknown.value);
    webhook.drift.emplace_back(kOtherDrift);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ParsedWebhook> ParseWebhook(std::string_view body, const WebhookContext& context) {
  JsonReader reader(body);
  WebhookMembers members;
  absl::Status status = reader.Read(members);
  if (status.ok()) status = CheckRequired(members);
  absl::StatusOr<ParsedWebhook> result{ParsedWebhook()};  // filled in place: moving an event is not free
  ParsedWebhook& webhook = *result;
  if (status.ok()) status = SetMembers(body, members, webhook);
  if (!status.ok()) return status;

  RefundEvent& event = webhook.event;
  event.set_type(TypeOfEventName(event.event_name()));
  if (event.type() == refundrelay::v1::REFUND_EVENT_TYPE_UNSPECIFIED) {
    webhook.drift.push_back(DriftName(SchemaOf(Member::kEvent)));
  }
  const BodyValue* const updated_at = members.Find(Member::kRefundUpdatedAt);
  std::optional<std::string_view> updated_at_text;
  if (updated_at != nullptr && updated_at->kind == JsonKind::kString) updated_at_text = updated_at->text;
  event.set_event_id(MakeEventId(event.refund().id(), event.event_name(), updated_at_text,
                                 OwnText(body, *members.Find(Member::kRefund))));
  *event.mutable_received_at() = ToTimestamp(context.received_at);
  event.set_traceparent(context.traceparent);
  const Sha256Digest digest = Sha256({body});
  event.set_webhook_sha256(digest.data(), digest.size());
  return result;
}

}  // namespace refund_relay
