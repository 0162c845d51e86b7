#include "server/rpc/subscribe_request.h"

#include <algorithm>
#include <utility>

#include "server/rpc/committed_positions.h"
#include "server/rpc/position_check.h"

namespace refund_relay {
namespace {

namespace v1 = refundrelay::v1;

constexpr absl::Duration kDefaultHeartbeat = absl::Seconds(15);
constexpr absl::Duration kShortestHeartbeat = absl::Seconds(1);
constexpr absl::Duration kLongestHeartbeat = absl::Seconds(30);
constexpr uint32_t kMostBatchEvents = 1024;
constexpr uint32_t kDefaultBatchBytes = 256 << 10;
constexpr uint32_t kMostBatchBytes = 2 << 20;

absl::Duration CheckHeartbeat(const v1::SubscribeRequest& request, RequestViolations& violations) {
  if (!request.has_heartbeat_interval()) return kDefaultHeartbeat;
  const absl::Duration interval =
      absl::Seconds(request.heartbeat_interval().seconds()) + absl::Nanoseconds(request.heartbeat_interval().nanos());
  if (interval < kShortestHeartbeat || interval > kLongestHeartbeat) {
    violations.Add("heartbeat_interval", "must be 1 s to 30 s, or unset for 15 s");
  }
  return interval;
}

void CheckStart(const v1::SubscribeRequest& request, absl::Time now, CheckedSubscribe& checked,
                RequestViolations& violations) {
  switch (request.start_case()) {
    case v1::SubscribeRequest::kStartFrom:
      checked.start = request.start_from();
      if (request.start_from() != v1::START_FROM_EARLIEST && request.start_from() != v1::START_FROM_LATEST &&
          request.start_from() != v1::START_FROM_COMMITTED) {
        violations.Add("start_from", "must be EARLIEST, LATEST or COMMITTED");
      }
      break;
    case v1::SubscribeRequest::kAfter:
      checked.start = request.after();
      CheckForm(request.after(), "after", violations);
      break;
    case v1::SubscribeRequest::kAtTime:
      checked.start = CheckPastTime(request.at_time(), now, "at_time", violations);
      break;
    case v1::SubscribeRequest::START_NOT_SET:
      violations.Add("start", "say where to start: start_from, after or at_time; there is no default");
      break;
  }
}

}  // namespace

bool IsSubscriberName(std::string_view name) {
  return !name.empty() && name.size() <= 63 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

void CheckName(std::string_view name, RequestViolations& violations) {
  if (IsSubscriberName(name)) return;
  violations.Add("subscriber_name", "must be 1 to 63 characters of a-z, 0-9 and `-`");
}

absl::StatusOr<CheckedSubscribe> CheckSubscribe(const v1::SubscribeRequest& request, absl::Time now) {
  RequestViolations violations;
  CheckedSubscribe checked;
  checked.subscriber_name = request.subscriber_name();
  CheckName(request.subscriber_name(), violations);
  NormalisedFilter filter = NormaliseFilter(request.filter(), violations);
  checked.asked_filter = filter.shown;
  checked.shown_filter = std::move(filter.shown);
  checked.options.filter = std::move(filter.matching);
  CheckStart(request, now, checked, violations);
  if (request.has_until()) {
    CheckForm(request.until(), "until", violations);
    checked.until = request.until();
  }
  checked.heartbeat_interval = CheckHeartbeat(request, violations);
  if (request.max_batch_bytes() > kMostBatchBytes) {
    violations.Add("max_batch_bytes", "must be at most 2097152 (2 MiB), or 0 for 256 KiB");
  }
  checked.options.max_batch_bytes = request.max_batch_bytes() == 0 ? kDefaultBatchBytes : request.max_batch_bytes();
  checked.options.max_batch_events =
      request.max_batch_events() == 0 ? kMostBatchEvents : std::min(request.max_batch_events(), kMostBatchEvents);
  checked.options.omit_personal_data = request.omit_personal_data();
  checked.options.stop_when_caught_up = request.stop_when_caught_up();
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  return checked;
}

bool NeedsStorage(const CheckedSubscribe& request) {
  const auto* from = std::get_if<v1::StartFrom>(&request.start);
  return from == nullptr || *from != v1::START_FROM_LATEST || request.until.has_value();
}

absl::StatusOr<Subscription::Options> ResolveSubscribe(const CheckedSubscribe& request, LogPosition latest,
                                                       EventLog& log, PositionStore& positions) {
  Subscription::Options options = request.options;
  options.log_id = log.Info().log_id;
  absl::StatusOr<LogPosition> start;
  if (const auto* after = std::get_if<v1::Position>(&request.start)) {
    start = ResolvePosition(log, *after);
  } else if (const auto* time = std::get_if<absl::Time>(&request.start)) {
    start = log.PositionBefore(*time);
  } else {
    switch (std::get<v1::StartFrom>(request.start)) {
      case v1::START_FROM_EARLIEST:
        start = EarliestPosition(log);
        break;
      case v1::START_FROM_COMMITTED:
        start = CommittedStart(request.subscriber_name, request.asked_filter, log, positions);
        break;
      default:
        start = latest;
    }
  }
  if (!start.ok()) return start.status();
  options.start = *start;
  if (request.until.has_value()) {
    const absl::StatusOr<LogPosition> until = ResolvePosition(log, *request.until);
    if (!until.ok()) return until.status();
    options.until = *until;
  }
  return options;
}

}  // namespace refund_relay
