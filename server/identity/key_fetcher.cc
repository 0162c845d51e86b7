#include "server/identity/key_fetcher.h"

#include <chrono>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/access/bearer_token.h"
#include "server/ops/file_watcher.h"
#include "server/ops/logging.h"

namespace refund_relay {
namespace {

constexpr size_t kMostAnswerBytes = 256 << 10;

// The steady clock, as far as differences go.
absl::Time SteadyNow() {
  return absl::UnixEpoch() + absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

// `Bearer TOKEN` with the token in a file; the message quotes nothing of it.
absl::StatusOr<std::string> AuthorizationFrom(const std::string& token_file) {
  const absl::StatusOr<std::string> text = ReadFile(token_file, 2 * kLongestTokenBytes);
  if (!text.ok()) return text.status();
  std::string authorization = absl::StrCat("Bearer ", absl::StripAsciiWhitespace(*text));
  if (!TokenOf(authorization).has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(token_file, " holds no bearer token"));
  }
  return authorization;
}

}  // namespace

KeyFetcher::KeyFetcher(Options options, TokenKeys& keys, Report report)
    : options_(std::move(options)), keys_(keys), report_(std::move(report)), schedule_(options_.times) {}

void KeyFetcher::Start() {
  thread_.Start(absl::ZeroDuration(), [this] { return RunOnce(); });
}

void KeyFetcher::AwaitFirst(absl::Duration longest) { first_.WaitForNotificationWithTimeout(longest); }

void KeyFetcher::Stop() {
  client_.Cancel();
  thread_.Stop();
}

void KeyFetcher::Ask() {
  {
    absl::MutexLock lock(&mutex_);
    if (!schedule_.Ask()) return;
  }
  thread_.Wake();
}

absl::Duration KeyFetcher::RunOnce() {
  {
    absl::MutexLock lock(&mutex_);
    const absl::Time now = SteadyNow();
    if (const absl::Duration wait = schedule_.Wait(now); wait > absl::ZeroDuration()) return wait;
    schedule_.Began(now);
  }
  keys_.FetchBegins();
  const absl::StatusOr<std::string> body = Download();
  if (absl::IsCancelled(body.status())) return absl::Hours(1);  // stopping, which cuts the rest
  const absl::StatusOr<bool> changed = body.ok() ? keys_.Update(*body) : body.status();
  if (changed.ok()) keys_.FetchSucceeded();
  if (!changed.ok()) {
    Log(LogLevel::kError,
        keys_.Current().version == 0
            ? "keys of service accounts NOT fetched; their tokens cannot be accepted until they are"
            : "keys of service accounts NOT fetched; those that were fetched before stay in force",
        {{"url", options_.url_text}, {"cause", changed.status()}});
  } else if (*changed) {
    Log(LogLevel::kInfo, "keys of service accounts read",
        {{"url", options_.url_text}, {"keys", keys_.Current().keys->size()}});
  }
  report_(changed.ok(), changed.ok() && *changed);
  if (!first_.HasBeenNotified()) first_.Notify();
  absl::MutexLock lock(&mutex_);
  const absl::Time now = SteadyNow();
  schedule_.Ended(now, changed.ok());
  return schedule_.Wait(now);
}

absl::StatusOr<std::string> KeyFetcher::Download() {
  HttpClient::Request request;
  request.method = "GET";
  request.url = options_.url;
  request.headers = {{"Accept", "application/jwk-set+json, application/json"}, {"User-Agent", "refund-relay"}};
  request.tls.ca_file = options_.ca_file;
  request.timeout = options_.timeout;
  request.most_answer_bytes = kMostAnswerBytes;
  if (!options_.token_file.empty()) {
    absl::StatusOr<std::string> authorization = AuthorizationFrom(options_.token_file);
    if (!authorization.ok()) return authorization.status();
    request.headers.emplace_back("Authorization", *std::move(authorization));
  }
  absl::StatusOr<HttpClient::Answer> answer = client_.Send(request);
  if (!answer.ok()) return answer.status();
  if (answer->status == 200) return std::move(answer->body);
  const bool refused = answer->status == 401 || answer->status == 403;
  return absl::UnavailableError(absl::StrCat(
      "the answer was ", answer->status,
      refused ? "; give a token that may read it (--service_account_jwks_token_file), and to its account the role "
                "system:service-account-issuer-discovery"
              : "; redirections are not followed"));
}

}  // namespace refund_relay
