#include "server/stream/duplicate_check.h"

#include "refundrelay/v1/refund_event.pb.h"
#include "server/translate/webhook_equality.h"

namespace refund_relay {

absl::StatusOr<Duplicate> CheckDuplicate(EventLog& log, std::string_view event_id, std::string_view body) {
  const absl::StatusOr<FoundEvent> found = log.Find(event_id);
  if (absl::IsNotFound(found.status())) return Duplicate::kExpired;
  if (absl::IsDataLoss(found.status())) return Duplicate::kConflict;
  if (!found.ok()) return found.status();
  refundrelay::v1::RefundEvent stored;
  if (!stored.ParseFromString(found->event)) return Duplicate::kConflict;
  const absl::StatusOr<bool> same = IsSameWebhook(body, stored);
  return same.ok() && *same ? Duplicate::kSame : Duplicate::kConflict;
}

}  // namespace refund_relay
