#include "server/rpc/loss_audit.h"

#include <utility>

#include "absl/synchronization/notification.h"
#include "server/ops/logging.h"

namespace refund_relay {
namespace {

uint64_t Above(uint64_t value, uint64_t limit) { return value > limit ? value - limit : 0; }

uint64_t Difference(uint64_t a, uint64_t b) { return Above(a, b) + Above(b, a); }

prometheus::Counter& AddCounter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

}  // namespace

LossAudit::LossAudit(prometheus::Registry& registry, Parts parts)
    : parts_(std::move(parts)),
      first_sequence_(parts_.log.Info().last.sequence),
      mismatch_events_(prometheus::BuildGauge()
                           .Name("refund_relay_loss_audit_mismatch_events")
                           .Help("Events by which accepted, stored and delivered differ; anything but 0 is a fault.")
                           .Register(registry)
                           .Add({})),
      checked_events_(AddCounter(registry, "refund_relay_loss_audit_checked_events_total",
                                 "Events that streams passed and the loss audit counted again.")),
      unchecked_events_(AddCounter(registry, "refund_relay_loss_audit_unchecked_events_total",
                                   "Events that streams passed and the loss audit had to leave out.")) {
  parts_.streams.KeepEnded();
}

LossAudit::~LossAudit() { Stop(); }

void LossAudit::Start() {
  thread_.Start(kPeriod, [this] {
    Audit();
    return kPeriod;
  });
}

void LossAudit::Stop() { thread_.Stop(); }

void LossAudit::Audit() {
  CompareIntake();
  AuditStreams();
}

void LossAudit::CompareIntake() {
  // The order makes each comparison safe beside a running log. `answered` first: an append that is begun and not yet
  // answered may be stored already. `accepted` before `stored`: the answer to a webhook follows the log's.
  const uint64_t accepted = parts_.accepted_answers();
  const uint64_t answered = parts_.webhooks.answered() + parts_.promotions.answered();
  const uint64_t stored_webhooks = parts_.webhooks.stored();
  const uint64_t stored = stored_webhooks + parts_.promotions.stored();
  const uint64_t growth = parts_.log.Info().last.sequence - first_sequence_;
  const uint64_t in_flight = parts_.webhooks.begun() + parts_.promotions.begun() - answered;
  const uint64_t mismatch =
      Above(accepted, stored_webhooks) + Above(stored, growth) + Above(growth, stored + in_flight);
  if (mismatch != intake_mismatch_ && mismatch != 0) {
    Log(LogLevel::kError, "loss audit: accepted and stored events differ; keep the data directory and report this",
        {{"answered_accepted", accepted},
         {"reported_stored", stored},
         {"stored", growth},
         {"in_flight", in_flight},
         {"mismatch_events", mismatch}});
  }
  intake_mismatch_ = mismatch;
  ShowMismatch();
}

void LossAudit::AuditStreams() {
  const std::vector<Stretch> stretches = TakeStretches();
  std::vector<StreamRecount::Question> questions;
  questions.reserve(stretches.size());
  for (const Stretch& stretch : stretches) {
    questions.push_back(
        {&stretch.stream->identity().filter, stretch.from.sequence, stretch.progress.position.sequence});
  }
  StreamRecount recount(std::move(questions), {});
  Recount(recount);
  for (size_t i = 0; i < stretches.size(); ++i) {
    const StreamRecount::Question& question = recount.questions()[i];
    const auto passed = static_cast<double>(question.to - question.from);
    if (!question.matching.has_value()) {
      unchecked_events_.Increment(passed);
      continue;
    }
    checked_events_.Increment(passed);
    Compare(stretches[i], *question.matching);
  }
  ShowMismatch();
}

std::vector<LossAudit::Stretch> LossAudit::TakeStretches() {
  auto [open, ended] = parts_.streams.OpenAndEnded();
  unchecked_events_.Increment(static_cast<double>(ended.forgotten_events));
  std::map<uint64_t, Audited> still_open;
  std::vector<Stretch> stretches;
  const auto take = [&](const StreamRegistry::Record& stream) {
    const StreamProgress progress = stream->progress();
    const auto known = audited_.find(stream->number());
    const Audited from = known != audited_.end() ? known->second : Audited{stream->identity().start.sequence, 0};
    const Stretch stretch = {stream, progress, from};
    const uint64_t passed = progress.position.sequence - from.sequence;
    if (passed > kMostEventsOfAStream) {
      unchecked_events_.Increment(static_cast<double>(passed));
    } else if (passed == 0) {
      Compare(stretch, 0);  // an idle stream costs no reading
    } else {
      stretches.push_back(stretch);
    }
    return Audited{progress.position.sequence, progress.delivered_events};
  };
  for (const StreamRegistry::Record& stream : open) still_open.emplace(stream->number(), take(stream));
  for (const StreamRegistry::Record& stream : ended.streams) take(stream);
  audited_ = std::move(still_open);
  return stretches;
}

void LossAudit::Recount(StreamRecount& recount) {
  while (!recount.done() && !thread_.stop_requested()) {
    // A turn for each step, so that streams' own reads come in between.
    absl::Notification stepped;
    const bool queued = parts_.history.Run([&recount, &stepped](EventLog& log) {
      recount.Step(log);
      stepped.Notify();
    });
    if (!queued) return;
    stepped.WaitForNotification();
  }
}

void LossAudit::Compare(const Stretch& stretch, uint64_t expected_events) {
  const uint64_t delivered = stretch.progress.delivered_events - stretch.from.delivered_events;
  if (delivered == expected_events) return;
  stream_mismatch_ += Difference(delivered, expected_events);
  const StreamIdentity& identity = stretch.stream->identity();
  Log(LogLevel::kError,
      "loss audit: a stream did not deliver what is stored; let the subscriber read again from before",
      {{"subscriber", identity.subscriber_name},
       {"peer", identity.peer},
       {"after_sequence", stretch.from.sequence},
       {"sequence", stretch.progress.position.sequence},
       {"stored_events", expected_events},
       {"delivered_events", delivered}});
}

void LossAudit::ShowMismatch() { mismatch_events_.Set(static_cast<double>(intake_mismatch_ + stream_mismatch_)); }

}  // namespace refund_relay
