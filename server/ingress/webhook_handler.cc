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

namespace refund_relay {
namespace {

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
      return Problem(refusal->result, refusal->detail);
    }
    claim_ = ReadAuthenticationClaim(head);
    if (claim_.result != AuthenticationResult::kAuthentic) {
      handler_.parts_.metrics.CountAuthentication(claim_.method, claim_.result, {});
      return Problem(WebhookResult::kUnauthenticated, claim_.detail);
    }
    traceparent_ = TraceparentOf(head);
    return std::nullopt;
  }

  std::optional<HttpAnswer> HandleBody(std::string_view body, AnswerTicket ticket) override {
    if (!IsAuthentic(body)) {
      return Problem(WebhookResult::kUnauthenticated, "the credentials are not those of a sender known here");
    }
    if (!handler_.rate_limit_.Admit(std::chrono::steady_clock::now())) {
      return Problem(WebhookResult::kRateLimited, "more webhooks a second than --max_webhooks_per_second");
    }
    if (handler_.draining_.load(std::memory_order_relaxed)) {
      return Problem(WebhookResult::kUnavailable, "the server is shutting down; send the webhook again");
    }
    absl::StatusOr<ParsedWebhook> parsed = handler_.parse_(body, {handler_.parts_.clock.Now(), traceparent_});
    if (!parsed.ok()) {
      // 503 goes before 400 and 422: while we cannot serve, the sender should come back.
      const absl::Status admission = handler_.parts_.publisher.CheckAdmission();
      if (!admission.ok()) return NotStored({}, admission);
      return Problem(ResultOfParse(parsed.status()), Std(parsed.status().message()));
    }
    for (const std::string& field : parsed->drift) handler_.parts_.metrics.CountSchemaDrift(field);
    Publish(*parsed, std::move(ticket));
    return std::nullopt;
  }

  HttpAnswer TimeOut() override {
    return Problem(WebhookResult::kTimeout, "the commit took longer than --commit_timeout; send the webhook again");
  }

  HttpAnswer Refuse(int status, std::string_view detail) override {
    return Problem(ResultOfHttpStatus(status), detail);
  }

 private:
  bool IsAuthentic(std::string_view body) {
    const std::shared_ptr<const Credentials> credentials = handler_.parts_.credentials.Snapshot();
    const Authentication found = VerifyAuthenticationClaim(claim_, body, *credentials);
    handler_.parts_.metrics.CountAuthentication(found.method, found.result, found.key);
    return found.result == AuthenticationResult::kAuthentic;
  }

  void Publish(const ParsedWebhook& webhook, AnswerTicket ticket) {
    // The event id is wanted again for the answer; `this` lives whenever the answer is made (see MakeAnswer).
    auto done = [this, ticket = std::move(ticket),
                 event_id = webhook.event.event_id()](absl::StatusOr<AppendOutcome> outcome) mutable {
      std::move(ticket).Answer([this, event_id = std::move(event_id), outcome = std::move(outcome)]() mutable {
        return outcome.ok() ? Stored(event_id, *outcome) : NotStored(event_id, outcome.status());
      });
    };
    handler_.parts_.publisher.Publish(webhook.event, std::move(done));
  }

  HttpAnswer Stored(const std::string& event_id, const AppendOutcome& outcome) {
    const HttpStatusRow& row = HttpStatusOf(outcome.duplicate ? WebhookResult::kDuplicate : WebhookResult::kAccepted);
    HttpAnswer answer;
    answer.status = row.status;
    answer.body.append("{\"status\":\"").append(row.label).append("\",\"event_id\":");
    AppendJsonString(answer.body, event_id);
    absl::StrAppend(&answer.body, ",\"sequence\":", outcome.sequence, "}");
    const absl::Duration duration = Count(row.result);
    Log(LogLevel::kInfo, "webhook",
        {{"request_id", request_id_},
         {"result", row.label},
         {"status", row.status},
         {"event_id", event_id},
         {"sequence", outcome.sequence},
         {"duration_ms", absl::ToDoubleMilliseconds(duration)}});
    return answer;
  }

  HttpAnswer NotStored(std::string_view event_id, const absl::Status& cause) {
    // The cause is for us, not for the sender.
    return Problem(ResultOfPublish(cause), "the webhook could not be stored; send it again", event_id,
                   cause.ToString());
  }

  // Answers by problem+json, counts and logs. `cause` is logged in place of `detail` if there is one.
  HttpAnswer Problem(WebhookResult result, std::string_view detail, std::string_view event_id = {},
                     std::string_view cause = {}) {
    const HttpStatusRow& row = HttpStatusOf(result);
    HttpAnswer answer;
    answer.status = row.status;
    answer.content_type = "application/problem+json";
    answer.body = ProblemJson(row.status, row.title, detail);
    answer.close = row.close;
    if (row.retry_after_seconds > 0) answer.fields.emplace_back("Retry-After", absl::StrCat(row.retry_after_seconds));
    if (result == WebhookResult::kUnauthenticated) {
      answer.fields.emplace_back("WWW-Authenticate", kAuthenticateChallenge);
    }
    if (result == WebhookResult::kMethodNotAllowed) answer.fields.emplace_back("Allow", "POST");
    const absl::Duration duration = Count(result);
    std::vector<LogField> fields = {{"request_id", request_id_}, {"result", row.label}, {"status", row.status}};
    if (!event_id.empty()) fields.emplace_back("event_id", event_id);
    fields.emplace_back("detail", cause.empty() ? detail : cause);
    fields.emplace_back("duration_ms", absl::ToDoubleMilliseconds(duration));
    Log(row.status >= 500 ? LogLevel::kWarning : LogLevel::kInfo, "webhook", fields);
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
