// Quarantine: authentic webhooks that could not become events, kept beside the log until a person decides.
#ifndef REFUND_RELAY_SERVER_LOG_QUARANTINE_H_
#define REFUND_RELAY_SERVER_LOG_QUARANTINE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/log/event_log.h"

namespace refund_relay {

// Webhooks that are kept at most; the next is refused.
inline constexpr size_t kDefaultMaxQuarantinedWebhooks = 10'000;

// Stored as these numbers; they are those of `refundrelay.v1.QuarantineReason`.
enum class QuarantineReason : int { kNotJson = 1, kNotARefundEvent = 2, kConflict = 3 };

struct NewQuarantinedWebhook {
  QuarantineReason reason = QuarantineReason::kNotJson;
  std::string detail;  // where it broke, in words; free of personal data
  absl::Time received_at;
  std::string body;         // raw, personal data
  std::string body_hash;    // its SHA-256, 32 bytes: names the body
  std::string event_id;     // of a conflict: the id that both share
  std::string traceparent;  // may be empty
};

struct QuarantinedWebhook {
  uint64_t ordinal = 0;       // rises in order of arrival
  std::string quarantine_id;  // names it outward; says nothing of the body
  QuarantineReason reason = QuarantineReason::kNotJson;
  std::string detail;
  absl::Time received_at;  // when it first came; whole microseconds
  uint64_t times_received = 0;
  uint64_t body_bytes = 0;
  std::string body;  // empty unless asked for
  std::string event_id;
  std::string traceparent;
};

struct QuarantineOutcome {
  std::string quarantine_id;
  bool again = false;  // the same body was there before
};

// Which webhooks `Read` gives, in order of arrival.
struct QuarantineQuery {
  uint64_t after_ordinal = 0;
  std::optional<QuarantineReason> reason;
  std::vector<std::string> quarantine_ids;  // empty = all
  bool include_body = false;
  size_t limit = 100;
  // A page ends before it holds more bytes of bodies than this; one larger body goes alone.
  size_t max_body_bytes = 3 << 20;
};

struct QuarantineInfo {
  size_t webhooks = 0;
  size_t limit = 0;
  std::optional<absl::Time> oldest_received_at;  // unset when it is empty
};

// Shares the log's writer thread and its group commit. Thread-safe. Lives as long as the log. The callbacks come as
// those of EventLog::Append do, after the outcome is durable, with its errors besides those named here.
class Quarantine {
 public:
  using AddDone = absl::AnyInvocable<void(absl::StatusOr<QuarantineOutcome>)>;
  using DiscardDone = absl::AnyInvocable<void(absl::StatusOr<bool> was_there)>;

  virtual ~Quarantine() = default;

  // Keeps a webhook, or counts that the same body came again.
  // - RESOURCE_EXHAUSTED, QUARANTINE_FULL: it is full, and the body is not in it.
  virtual void Add(NewQuarantinedWebhook webhook, AddDone done) = 0;

  // Appends the event that a webhook has become and takes the webhook out, as one step: no crash in between loses or
  // doubles it. When the event id was stored before (`duplicate`), nothing changes and the webhook stays: the caller
  // compares the two, and discards it if they are the same.
  // - NOT_FOUND, QUARANTINE_UNKNOWN: there is none with this id (any more).
  virtual void Promote(std::string_view quarantine_id, NewEvent event, EventLog::AppendDone done) = 0;

  // Deletes a webhook for good.
  virtual void Discard(std::string_view quarantine_id, DiscardDone done) = 0;

  // The webhooks of `query`. Blocks on storage. UNAVAILABLE: storage cannot be read just now.
  virtual absl::StatusOr<std::vector<QuarantinedWebhook>> Read(const QuarantineQuery& query) = 0;

  // What it holds, from memory: never blocks on storage.
  virtual QuarantineInfo Info() = 0;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_QUARANTINE_H_
