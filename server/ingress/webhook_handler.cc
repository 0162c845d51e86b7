#include "server/ingress/webhook_handler.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/ingress/authenticator.h"
#include "server/ingress/problem_json.h"
#include "server/ingress/trace_context.h"
#include "server/ingress/webhook_head.h"
#include "server/ops/json_string.h"
#include "server/ops/logging.h"
#include "server/translate/sha256.h"

namespace refund_relay {
namespace {

// Whether anybody can cause this result.
bool IsBeforeAuthentication(WebhookResult result) {
  switch (result) {
    case WebhookResult::kBadRequest:
    case WebhookResult::kHeadTooLarge:
    case WebhookResult::kNotFound:
    case WebhookResult::kMethodNotAllowed:
    case WebhookResult::kLengthRequired:
    case WebhookResult::kUnsupportedType:
    case WebhookResult::kExpectationFailed:
    case WebhookResult::kTooLarge:
    case WebhookResult::kUnauthenticated:
    case WebhookResult::kTooSlow:
      return true;
    default:
      return false;
  }
}

std::string_view Std(absl::string_view text) { return {text.data(), text.size()}; }

}  // namespace

// One connection's webhooks, one at a time.
class WebhookHandler::Exchange final : public RequestExchange {
 public:
  explicit Exchange(WebhookHandler& handler) : handler_(handler) {}

  void Begin(std::string_view request_id, std::chrono::steady_clock::time_point started) override {
    request_id_ = request_id;
    started_ = started;
    claim_ = {};
    traceparent_.clear();
  }

  std::optional<HttpAnswer> CheckHead(const RequestHead& head) override {
    if (const auto refusal = CheckWebhookHead(head, handler_.options_.max_body_bytes)) {
      return Problem(refusal->result, {.detail = refusal->detail});
    }
    claim_ = ReadAuthenticationClaim(head);
    if (claim_.result != AuthenticationResult::kAuthentic) {
      handler_.parts_.metrics.CountAuthentication(claim_.method, claim_.result, {});
      return Problem(WebhookResult::kUnauthenticated, {.detail = claim_.detail});
    }
    traceparent_ = TraceparentOf(head);
    return std::nullopt;
  }

  std::optional<HttpAnswer> HandleBody(std::string_view body, AnswerTicket ticket) override {
    if (!IsAuthentic(body)) {
      return Problem(WebhookResult::kUnauthenticated,
                     {.detail = "the credentials are not those of a sender known here"});
    }
    if (!handler_.rate_limit_.Admit(std::chrono::steady_clock::now())) {
      return Problem(WebhookResult::kRateLimited, {.detail = "more webhooks a second than --max_webhooks_per_second"});
    }
    if (handler_.draining_.load(std::memory_order_relaxed)) {
      return Problem(WebhookResult::kUnavailable, {.detail = "the server is shutting down; send the webhook again"});
    }
    const absl::Time received_at = handler_.parts_.clock.Now();
    absl::StatusOr<ParsedWebhook> parsed = handler_.parse_(body, {received_at, traceparent_});
    if (!parsed.ok()) return Refuse(parsed.status(), body, received_at, std::move(ticket));
    for (const std::string& field : parsed->drift) handler_.parts_.metrics.CountSchemaDrift(field);
    Publish(*parsed, body, std::move(ticket));
    return std::nullopt;
  }

  HttpAnswer TimeOut() override {
    return Problem(WebhookResult::kTimeout,
                   {.detail = "the commit took longer than --commit_timeout; send the webhook again"});
  }

  HttpAnswer Refuse(int status, std::string_view detail) override {
    return Problem(ResultOfHttpStatus(status), {.detail = detail});
  }

 private:
  bool IsAuthentic(std::string_view body) {
    const std::shared_ptr<const Credentials> credentials = handler_.parts_.credentials.Snapshot();
    const Authentication found = VerifyAuthenticationClaim(claim_, body, *credentials);
    handler_.parts_.metrics.CountAuthentication(found.method, found.result, found.key);
    return found.result == AuthenticationResult::kAuthentic;
  }

  // A body that is no refund event is kept in quarantine before it is refused. Returns the answer if that is not to be
  // waited for.
  std::optional<HttpAnswer> Refuse(const absl::Status& fault, std::string_view body, absl::Time received_at,
                                   AnswerTicket ticket) {
    // 503 goes before 400 and 422: while we cannot serve, the sender should come back.
    const absl::Status admission = handler_.parts_.publisher.CheckAdmission();
    if (!admission.ok()) return NotStored({}, admission);
    const WebhookResult result = ResultOfParse(fault);
    if (result == WebhookResult::kInternalError) return Problem(result, {.detail = Std(fault.message())});
    NewQuarantinedWebhook webhook;
    webhook.reason =
        result == WebhookResult::kMalformed ? QuarantineReason::kNotJson : QuarantineReason::kNotARefundEvent;
    webhook.detail = Std(fault.message());
    webhook.received_at = received_at;
    webhook.body = body;
    const Sha256Digest digest = Sha256({body});
    webhook.body_hash.assign(digest.begin(), digest.end());
    webhook.traceparent = traceparent_;
    // `this` lives whenever the answer is made (see MakeAnswer).
    auto done = [this, ticket = std::move(ticket), result,
                 detail = webhook.detail](absl::StatusOr<QuarantineOutcome> kept) mutable {
      std::move(ticket).Answer([this, result, detail = std::move(detail), kept = std::move(kept)]() {
        if (!kept.ok()) return NotStored({}, kept.status());
        if (kept->again) return Taken(WebhookResult::kQuarantined, {.quarantine_id = kept->quarantine_id});
        return Problem(result, {.detail = detail, .quarantine_id = kept->quarantine_id});
      });
    };
    handler_.parts_.publisher.Keep(std::move(webhook), std::move(done));
    return std::nullopt;
  }

  void Publish(const ParsedWebhook& webhook, std::string_view body, AnswerTicket ticket) {
    // The event id is wanted again for the answer; `this` lives whenever the answer is made (see MakeAnswer).
    auto done = [this, ticket = std::move(ticket),
                 event_id = webhook.event.event_id()](absl::StatusOr<PublishOutcome> outcome) mutable {
      std::move(ticket).Answer([this, event_id = std::move(event_id), outcome = std::move(outcome)]() {
        if (!outcome.ok()) return NotStored(event_id, outcome.status());
        const WebhookResult result = !outcome->duplicate              ? WebhookResult::kAccepted
                                     : outcome->quarantine_id.empty() ? WebhookResult::kDuplicate
                                                                      : WebhookResult::kConflict;
        return Taken(result, {event_id, outcome->sequence, outcome->quarantine_id});
      });
    };
    handler_.parts_.publisher.Publish(webhook.event, body, std::move(done));
  }

  // What a 2xx says.
  struct Receipt {
    std::string_view event_id = {};  // empty: it became no event
    uint64_t sequence = 0;
    std::string_view quarantine_id = {};  // empty: it is not in quarantine
  };

  HttpAnswer Taken(WebhookResult result, const Receipt& receipt) {
    const HttpStatusRow& row = HttpStatusOf(result);
    HttpAnswer answer;
    answer.status = row.status;
    const std::string_view status = result == WebhookResult::kConflict ? "duplicate" : row.label;
    answer.body.append("{\"status\":\"").append(status).append("\"");
    std::vector<LogField> fields = {{"request_id", request_id_}, {"result", row.label}, {"status", row.status}};
    if (!receipt.event_id.empty()) {
      answer.body.append(",\"event_id\":");
      AppendJsonString(answer.body, receipt.event_id);
      absl::StrAppend(&answer.body, ",\"sequence\":", receipt.sequence);
      fields.emplace_back("event_id", receipt.event_id);
      fields.emplace_back("sequence", receipt.sequence);
    }
    if (!receipt.quarantine_id.empty()) {
      answer.body.append(",\"quarantine_id\":");
      AppendJsonString(answer.body, receipt.quarantine_id);
      fields.emplace_back("quarantine_id", receipt.quarantine_id);
    }
    answer.body += '}';
    fields.emplace_back("duration_ms", absl::ToDoubleMilliseconds(Count(result)));
    // What waits for a person shows among the warnings.
    Log(receipt.quarantine_id.empty() ? LogLevel::kInfo : LogLevel::kWarning, "webhook", fields);
    return answer;
  }

  HttpAnswer NotStored(std::string_view event_id, const absl::Status& cause) {
    // The cause is for us, not for the sender.
    return Problem(
        ResultOfPublish(cause),
        {.detail = "the webhook could not be stored; send it again", .event_id = event_id, .cause = cause.ToString()});
  }

  // What a refusal says, to the sender and to our log.
  struct Refusal {
    std::string_view detail = {};
    std::string_view event_id = {};       // to the log only
    std::string_view quarantine_id = {};  // empty: nothing was kept
    std::string cause = {};               // to the log, in place of `detail` if there is one
  };

  // Answers by problem+json, counts and logs.
  HttpAnswer Problem(WebhookResult result, const Refusal& refusal) {
    const HttpStatusRow& row = HttpStatusOf(result);
    HttpAnswer answer;
    answer.status = row.status;
    answer.content_type = "application/problem+json";
    answer.body = ProblemJson(row.status, row.title, refusal.detail, refusal.quarantine_id);
    answer.close = row.close;
    if (row.retry_after_seconds > 0) answer.fields.emplace_back("Retry-After", absl::StrCat(row.retry_after_seconds));
    if (result == WebhookResult::kUnauthenticated) {
      answer.fields.emplace_back("WWW-Authenticate", kAuthenticateChallenge);
    }
    if (result == WebhookResult::kMethodNotAllowed) answer.fields.emplace_back("Allow", "POST");
    const absl::Duration duration = Count(result);
    std::vector<LogField> fields = {{"request_id", request_id_}, {"result", row.label}, {"status", row.status}};
    if (!refusal.event_id.empty()) fields.emplace_back("event_id", refusal.event_id);
    if (!refusal.quarantine_id.empty()) fields.emplace_back("quarantine_id", refusal.quarantine_id);
    fields.emplace_back("detail", refusal.cause.empty() ? refusal.detail : std::string_view(refusal.cause));
    fields.emplace_back("duration_ms", absl::ToDoubleMilliseconds(duration));
    if (IsBeforeAuthentication(result)) {
      const std::optional<uint64_t> left_out = handler_.stranger_lines_.Admit(handler_.parts_.clock.Now());
      if (!left_out.has_value()) return answer;
      if (*left_out > 0) fields.emplace_back("refusals_not_logged", *left_out);
    }
    const bool is_ours = row.status >= 500 || !refusal.quarantine_id.empty();
    Log(is_ours ? LogLevel::kWarning : LogLevel::kInfo, "webhook", fields);
    return answer;
  }

  absl::Duration Count(WebhookResult result) {
    const absl::Duration duration = absl::FromChrono(std::chrono::steady_clock::now() - started_);
    handler_.parts_.metrics.CountWebhook(result, handler_.parts_.clock.Now(), duration);
    return duration;
  }

  WebhookHandler& handler_;
  std::string_view request_id_;
  std::chrono::steady_clock::time_point started_;
  AuthenticationClaim claim_;
  std::string traceparent_;
};

WebhookHandler::WebhookHandler(const Options& options, const Parts& parts, ParseFunction parse)
    : options_(options), parts_(parts), parse_(std::move(parse)), rate_limit_(options.max_webhooks_per_second) {}

std::unique_ptr<RequestExchange> WebhookHandler::NewExchange() { return std::make_unique<Exchange>(*this); }

}  // namespace refund_relay
