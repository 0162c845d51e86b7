#include "server/rpc/quarantine_calls.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "server/rpc/page_token.h"
#include "server/rpc/position_check.h"
#include "server/rpc/status_table.h"

namespace refund_relay {
namespace {

namespace v1 = refundrelay::v1;

v1::QuarantinedWebhook ToProto(QuarantinedWebhook&& webhook) {
  v1::QuarantinedWebhook proto;
  proto.set_quarantine_id(std::move(webhook.quarantine_id));
  proto.set_reason(static_cast<v1::QuarantineReason>(webhook.reason));
  proto.set_detail(std::move(webhook.detail));
  *proto.mutable_received_at() = refund_relay::ToProto(webhook.received_at);
  proto.set_times_received(webhook.times_received);
  proto.set_body_bytes(webhook.body_bytes);
  proto.set_body(std::move(webhook.body));
  proto.set_event_id(std::move(webhook.event_id));
  return proto;
}

// The answers of one Discard request, gathered.
struct Discards {
  absl::Mutex mutex;
  int waiting ABSL_GUARDED_BY(mutex) = 0;
  absl::Status failed ABSL_GUARDED_BY(mutex);
  v1::DiscardQuarantinedWebhooksResponse response ABSL_GUARDED_BY(mutex);
};

}  // namespace

absl::StatusOr<v1::ListQuarantinedWebhooksResponse> ListQuarantinedWebhooks(
    const v1::ListQuarantinedWebhooksRequest& request, bool show_bodies, Quarantine& quarantine) {
  RequestViolations violations;
  QuarantineQuery query;
  if (!v1::QuarantineReason_IsValid(request.reason())) {
    violations.Add("reason", absl::StrCat("no reason has the number ", static_cast<int>(request.reason())));
  }
  if (request.reason() != v1::QUARANTINE_REASON_UNSPECIFIED) {
    query.reason = static_cast<QuarantineReason>(request.reason());
  }
  if (request.quarantine_ids_size() > kMostQuarantineIds) {
    violations.Add("quarantine_ids", absl::StrCat("at most ", kMostQuarantineIds, " are accepted"));
  }
  query.quarantine_ids.assign(request.quarantine_ids().begin(), request.quarantine_ids().end());
  query.include_body = request.include_body() && show_bodies;
  const uint32_t page_size = CheckPageSize(request.page_size(), violations);
  query.limit = size_t{page_size} + 1;  // one more tells whether there is a next page
  const std::optional<std::string> place = ReadPageToken(request, violations);
  if (place.has_value() && !place->empty() && !absl::SimpleAtoi(*place, &query.after_ordinal)) {
    violations.Add("page_token", "is not of this list");
  }
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;

  absl::StatusOr<std::vector<QuarantinedWebhook>> page = quarantine.Read(query);
  if (!page.ok()) return page.status();
  v1::ListQuarantinedWebhooksResponse response;
  size_t body_bytes = 0;
  uint64_t last = query.after_ordinal;
  bool more = false;
  for (QuarantinedWebhook& webhook : *page) {
    more = static_cast<uint32_t>(response.webhooks_size()) == page_size;
    if (more) break;
    body_bytes += webhook.body.size();
    last = webhook.ordinal;
    *response.add_webhooks() = ToProto(std::move(webhook));
  }
  // A page that its bytes have ended early has a next one, too; it may be empty.
  more = more || (query.include_body && body_bytes > 0 && static_cast<uint32_t>(response.webhooks_size()) < page_size);
  if (more) response.set_next_page_token(MakePageToken(request, absl::StrCat(last)));
  return response;
}

void DiscardQuarantinedWebhooks(
    const v1::DiscardQuarantinedWebhooksRequest& request, Quarantine& quarantine,
    absl::AnyInvocable<void(absl::StatusOr<v1::DiscardQuarantinedWebhooksResponse>)> answer) {
  if (request.quarantine_ids().empty() || request.quarantine_ids_size() > kMostQuarantineIds) {
    RequestViolations violations;
    violations.Add("quarantine_ids",
                   absl::StrCat("must name 1 to ", kMostQuarantineIds,
                                " webhooks; there is no \"all\": deleting a refund is done knowingly"));
    answer(violations.ToStatus());
    return;
  }
  auto discards = std::make_shared<Discards>();
  auto shared_answer = std::make_shared<decltype(answer)>(std::move(answer));
  {
    absl::MutexLock lock(&discards->mutex);
    discards->waiting = request.quarantine_ids_size();
    for (const std::string& id : request.quarantine_ids()) discards->response.add_results()->set_quarantine_id(id);
  }
  // A copy: the last answer ends the call, and with it `request`, perhaps before this loop has ended.
  const std::vector<std::string> ids(request.quarantine_ids().begin(), request.quarantine_ids().end());
  for (size_t i = 0; i < ids.size(); ++i) {
    quarantine.Discard(ids[i], [discards, shared_answer, i](absl::StatusOr<bool> was_there) {
      absl::StatusOr<v1::DiscardQuarantinedWebhooksResponse> done;
      {
        absl::MutexLock lock(&discards->mutex);
        if (was_there.ok()) {
          discards->response.mutable_results(static_cast<int>(i))->set_discarded(*was_there);
        } else {
          discards->failed = was_there.status();
        }
        if (--discards->waiting > 0) return;
        if (discards->failed.ok()) {
          done = std::move(discards->response);
        } else {
          done = discards->failed;
        }
      }
      (*shared_answer)(std::move(done));
    });
  }
}

}  // namespace refund_relay
