#include "server/stream/publisher.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/log/status_reason.h"
#include "server/stream/duplicate_check.h"
#include "server/stream/new_event.h"

namespace refund_relay {
namespace {

absl::Status DrainingError() {
  return WithReason(absl::UnavailableError("the server is shutting down; send the webhook again"), "DRAINING");
}

}  // namespace

// What is still known of a webhook when its event turns out to be a duplicate.
struct Publisher::Incoming {
  std::string body;
  std::string body_hash;
  std::string event_id;
  std::string traceparent;
  absl::Time received_at;

  NewQuarantinedWebhook ToConflict(uint64_t sequence) && {
    NewQuarantinedWebhook webhook;
    webhook.reason = QuarantineReason::kConflict;
    webhook.detail = absl::StrCat("the event with this id, at sequence ", sequence, ", has another content");
    webhook.received_at = received_at;
    webhook.body = std::move(body);
    webhook.body_hash = std::move(body_hash);
    webhook.event_id = std::move(event_id);
    webhook.traceparent = std::move(traceparent);
    return webhook;
  }
};

absl::Status Publisher::CheckAdmission() {
  if (draining_.load(std::memory_order_relaxed)) return DrainingError();
  if (absl::Status health = log_.Health(); !health.ok()) return health;
  const LogInfo info = log_.Info();
  if (info.queue_limit_events > 0 && info.queued_events >= info.queue_limit_events) {
    return absl::ResourceExhaustedError("the append queue is full; send the webhook again");
  }
  return absl::OkStatus();
}

void Publisher::Publish(const refundrelay::v1::RefundEvent& event, std::string_view body, PublishDone done) {
  if (draining_.load(std::memory_order_relaxed)) {
    done(DrainingError());
    return;
  }
  Incoming incoming{
      std::string(body), event.webhook_sha256(), event.event_id(), event.traceparent(),
      absl::FromUnixSeconds(event.received_at().seconds()) + absl::Nanoseconds(event.received_at().nanos())};
  auto appended = [this, incoming = std::move(incoming),
                   done = std::move(done)](absl::StatusOr<AppendOutcome> outcome) mutable {
    if (!outcome.ok()) {
      done(outcome.status());
    } else if (!outcome->duplicate) {
      done(PublishOutcome{outcome->sequence, false, {}});
    } else {
      Compare(std::move(incoming), outcome->sequence, std::move(done));
    }
  };
  log_.Append(ToNewEvent(event), appends_.Begin(std::move(appended)));
}

void Publisher::Compare(Incoming incoming, uint64_t sequence, PublishDone done) {
  // Shared, because a turn that is refused is gone, and the webhook must still be answered.
  auto shared_done = std::make_shared<PublishDone>(std::move(done));
  const bool queued =
      history_.Run([this, incoming = std::move(incoming), sequence, shared_done](EventLog& log) mutable {
        const absl::StatusOr<Duplicate> duplicate = CheckDuplicate(log, incoming.event_id, incoming.body);
        if (!duplicate.ok()) {
          (*shared_done)(duplicate.status());
        } else if (*duplicate != Duplicate::kConflict) {
          (*shared_done)(PublishOutcome{sequence, true, {}});
        } else {
          quarantine_.Add(std::move(incoming).ToConflict(sequence),
                          [shared_done, sequence](absl::StatusOr<QuarantineOutcome> kept) {
                            if (!kept.ok()) {
                              (*shared_done)(kept.status());
                            } else {
                              (*shared_done)(PublishOutcome{sequence, true, kept->quarantine_id});
                            }
                          });
        }
      });
  if (!queued) {
    (*shared_done)(absl::ResourceExhaustedError("too many reads of history wait; send the webhook again"));
  }
}

void Publisher::Keep(NewQuarantinedWebhook webhook, Quarantine::AddDone done) {
  if (draining_.load(std::memory_order_relaxed)) {
    done(DrainingError());
    return;
  }
  quarantine_.Add(std::move(webhook), std::move(done));
}

}  // namespace refund_relay
