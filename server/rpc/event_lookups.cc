#include "server/rpc/event_lookups.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "server/log/read_errors.h"
#include "server/log/status_reason.h"
#include "server/rpc/access_checks.h"
#include "server/rpc/filter_request.h"
#include "server/rpc/page_token.h"
#include "server/rpc/position_check.h"
#include "server/rpc/status_table.h"
#include "server/stream/encoded_events.h"
#include "server/translate/personal_data.h"

namespace refund_relay {
namespace {

namespace v1 = refundrelay::v1;

constexpr size_t kMostPageBytes = 3 << 20;  // gRPC clients take 4 MiB by default
constexpr size_t kMostEventIdBytes = 256;
constexpr int kMostReadsPerPage = 16;  // a sparse filter gets an empty page and goes on with the next call

absl::StatusOr<v1::Delivery> ToDelivery(uint64_t sequence, absl::Time stored_at, std::string_view event,
                                        bool omit_personal_data) {
  v1::Delivery delivery;
  const std::string bytes = omit_personal_data ? EncodeDelivery(sequence, stored_at, OmitPersonalData(event))
                                               : EncodeDelivery(sequence, stored_at, event);
  if (!delivery.ParseFromString(bytes)) return ChecksumError(sequence);
  return delivery;
}

struct Page {
  LogPosition position;  // everything up to here has been examined
  std::optional<absl::Time> stored_until;
  bool reached_until = false;
};

// `place` is that of the page token, empty for the first page.
absl::StatusOr<LogPosition> StartOf(const std::string& place, std::optional<absl::Time> stored_from, EventLog& log) {
  if (!place.empty()) {
    v1::Position position;
    if (!position.ParseFromString(place)) return absl::InvalidArgumentError("page_token: is not of this list");
    return ResolvePosition(log, position);
  }
  return stored_from.has_value() ? log.PositionBefore(*stored_from) : EarliestPosition(log);
}

// Both ids may be asked for; the look-up is by the first.
bool HasGatewayId(const StoredEvent& event, const std::string& gateway_id) {
  v1::RefundEvent decoded;
  return decoded.ParseFromArray(event.event.data(), static_cast<int>(event.event.size())) &&
         decoded.refund().payment_gateway_refund_id() == gateway_id;
}

// Visits the next events that the request is about, as EventLog::Read does: by an index if it names a refund.
absl::StatusOr<LogPosition> ReadFor(const v1::ListEventsRequest& request, const EventFilter& filter, LogPosition after,
                                    const ReadLimits& limits, EventLog& log,
                                    absl::FunctionRef<void(const StoredEvent&)> visit) {
  const bool by_refund_id = !request.refund_id().empty();
  const std::string& gateway_id = request.payment_gateway_refund_id();
  if (!by_refund_id && gateway_id.empty()) return log.Read(after, filter, limits, visit);
  return log.FindByRefund(by_refund_id ? RefundIdKind::kRefundId : RefundIdKind::kPaymentGatewayRefundId,
                          by_refund_id ? request.refund_id() : gateway_id, after, limits,
                          [&](const StoredEvent& event) {
                            if (!filter.Matches(event.event_name, event.client_id)) return;
                            if (by_refund_id && !gateway_id.empty() && !HasGatewayId(event, gateway_id)) return;
                            visit(event);
                          });
}

}  // namespace

absl::StatusOr<v1::GetEventResponse> GetEvent(const v1::GetEventRequest& request, const EventView& view,
                                              EventLog& log) {
  if (request.event_id().empty() || request.event_id().size() > kMostEventIdBytes) {
    RequestViolations violations;
    violations.Add("event_id",
                   "must be the event_id of an event, for example "
                   "65e02242d03692125f1f3593-4ad38e3cfdb0ae41");
    return violations.ToStatus();
  }
  absl::StatusOr<FoundEvent> found = log.Find(request.event_id());
  // Whether a deleted event was one that the caller may see, nobody can tell any more.
  if (absl::IsNotFound(found.status()) && !view.SeesAll()) return EventUnknownError();
  if (!found.ok()) return found.status();
  // Without personal data first: it is decided by the event's name whether more is shown.
  absl::StatusOr<v1::Delivery> delivery = ToDelivery(found->sequence, found->stored_at, found->event, true);
  if (!delivery.ok()) return delivery.status();
  if (!view.Sees(delivery->event().event_name())) return EventUnknownError();
  if (!request.omit_personal_data() && view.SeesPersonalData(delivery->event().event_name())) {
    delivery = ToDelivery(found->sequence, found->stored_at, found->event, false);
    if (!delivery.ok()) return delivery.status();
  }
  v1::GetEventResponse response;
  *response.mutable_delivery() = *std::move(delivery);
  return response;
}

absl::StatusOr<v1::ListEventsResponse> ListEvents(const v1::ListEventsRequest& request, const EventView& view,
                                                  absl::Time now, EventLog& log) {
  RequestViolations violations;
  const NormalisedFilter asked = NormaliseFilter(request.filter(), violations);
  std::optional<absl::Time> stored_from;
  if (request.has_stored_from()) stored_from = CheckPastTime(request.stored_from(), now, "stored_from", violations);
  Page page;
  if (request.has_stored_until()) {
    page.stored_until = CheckPastTime(request.stored_until(), absl::InfiniteFuture(), "stored_until", violations);
    if (stored_from.has_value() && *page.stored_until < *stored_from) {
      violations.Add("stored_until", "must not be before stored_from");
    }
  }
  const uint32_t page_size = CheckPageSize(request.page_size(), violations);
  const std::optional<std::string> place = ReadPageToken(request, violations);
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  const absl::StatusOr<NormalisedFilter> filter = NarrowFilter(asked, view);
  if (!filter.ok()) return filter.status();
  const absl::StatusOr<LogPosition> start = StartOf(*place, stored_from, log);
  if (!start.ok()) return start.status();
  page.position = *start;

  v1::ListEventsResponse response;
  ReadLimits limits;
  limits.max_events = page_size;
  limits.max_bytes = kMostPageBytes;
  bool at_end = false;
  absl::Status damaged;
  for (int reads = 0; reads < kMostReadsPerPage && response.deliveries().empty() && !at_end; ++reads) {
    // Taken before the read: a list ends where the log ended when it was asked for.
    const uint64_t last = log.Info().last.sequence;
    const absl::StatusOr<LogPosition> scanned =
        ReadFor(request, filter->matching, page.position, limits, log, [&](const StoredEvent& event) {
          if (page.reached_until || !damaged.ok()) return;
          if (page.stored_until.has_value() && event.stored_at >= *page.stored_until) {
            page.reached_until = true;
            return;
          }
          absl::StatusOr<v1::Delivery> delivery =
              ToDelivery(event.sequence, event.stored_at, event.event,
                         request.omit_personal_data() || !view.SeesPersonalData(event.event_name));
          if (!delivery.ok()) {
            damaged = delivery.status();
            return;
          }
          *response.add_deliveries() = *std::move(delivery);
        });
    if (absl::IsOutOfRange(scanned.status()) && request.page_token().empty() && !stored_from.has_value()) {
      // Retention was quicker than the first page of everything; the list begins where the log does now.
      const absl::StatusOr<LogPosition> earliest = EarliestPosition(log);
      if (!earliest.ok()) return earliest.status();
      page.position = *earliest;
      continue;
    }
    if (!scanned.ok()) return scanned.status();
    if (!damaged.ok()) return damaged;
    page.position = *scanned;
    at_end = page.reached_until || page.position.sequence >= last;
  }
  if (page.stored_until.has_value()) {
    // What lies at or after the bound counts as not examined, so that Subscribe can go on after it.
    const absl::StatusOr<LogPosition> bound = log.PositionBefore(*page.stored_until);
    if (!bound.ok()) return bound.status();
    if (bound->sequence <= page.position.sequence) {
      page.position = bound->sequence < start->sequence ? *start : *bound;
      at_end = true;
    }
  }
  *response.mutable_position() = ToProto(log.Info().log_id, page.position);
  if (!at_end) response.set_next_page_token(MakePageToken(request, response.position().SerializeAsString()));
  return response;
}

v1::GetLogInfoResponse GetLogInfo(EventLog& log) {
  const LogInfo info = log.Info();
  v1::GetLogInfoResponse response;
  response.set_log_id(info.log_id);
  response.set_first_sequence(info.first_sequence);
  response.set_last_sequence(info.last.sequence);
  *response.mutable_last_position() = ToProto(info.log_id, info.last);
  if (info.first_stored_at.has_value()) *response.mutable_first_stored_at() = ToProto(*info.first_stored_at);
  if (info.restored_from.has_value()) *response.mutable_restored_from() = ToProto(*info.restored_from);
  if (info.last_stored_at.has_value()) *response.mutable_last_stored_at() = ToProto(*info.last_stored_at);
  return response;
}

}  // namespace refund_relay
