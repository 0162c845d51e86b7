#include "server/rpc/access_control.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/auth_context.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/access/policy_reader.h"
#include "server/log/status_reason.h"
#include "server/ops/logging.h"
#include "server/ops/tls_store.h"

namespace refund_relay {
namespace {

constexpr char kAuthorizationKey[] = "authorization";

std::vector<std::string> Values(const grpc::AuthContext& context, const char* property) {
  std::vector<std::string> values;
  for (const grpc::string_ref& value : context.FindPropertyValues(property)) {
    values.emplace_back(value.data(), value.size());
  }
  return values;
}

// Of the certificate's names only those of the subjectAltName: who may choose a CN is another question than whose name
// it is.
CertificateNames NamesOf(const grpc::ServerContext& context) {
  CertificateNames names;
  const std::shared_ptr<const grpc::AuthContext> peer = context.auth_context();
  if (peer == nullptr) return names;
  names.present = !peer->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME).empty();
  if (!names.present) return names;
  const std::vector<std::string> pem = Values(*peer, GRPC_X509_PEM_CERT_PROPERTY_NAME);
  names.expires = CertificateExpiry(pem.front());
  names.dns = Values(*peer, GRPC_PEER_DNS_PROPERTY_NAME);
  names.uri = Values(*peer, GRPC_PEER_URI_PROPERTY_NAME);
  return names;
}

const char* MethodLabel(CallerMethod method) {
  switch (method) {
    case CallerMethod::kNone:
      return "grpc_none";
    case CallerMethod::kToken:
      return "grpc_token";
    case CallerMethod::kCertificate:
      return "grpc_certificate";
    case CallerMethod::kServiceAccount:
      return "grpc_service_account";
  }
  return "grpc_none";
}

const char* ResultLabel(CallerResult result) {
  switch (result) {
    case CallerResult::kAuthentic:
      return "authentic";
    case CallerResult::kAbsent:
      return "absent";
    case CallerResult::kIllFormed:
      return "ill_formed";
    case CallerResult::kWrong:
      return "wrong";
    case CallerResult::kUndecided:
      return "undecided";
  }
  return "wrong";
}

}  // namespace

AccessControl::AccessControl(prometheus::Registry& registry, ServiceAccountVerifier* service_accounts)
    : authentications_(prometheus::BuildCounter()
                           .Name("refund_relay_authentication_total")  // shared with the ingress
                           .Help("Authentications by method, result and what matched: a credential (file:line) or, for "
                                 "gRPC, a subscriber.")
                           .Register(registry)),
      service_accounts_(service_accounts) {}

absl::Status AccessControl::Update(std::string_view path, std::string_view content) {
  absl::StatusOr<AccessPolicy> read = ReadAccessPolicy(content);
  bool had_any = false;
  if (read.ok()) {
    const size_t subscribers = read->subscribers.size();
    const bool without_effect =
        service_accounts_ == nullptr && std::any_of(read->subscribers.begin(), read->subscribers.end(),
                                                    [](const auto& of) { return !of.service_accounts.empty(); });
    auto next = std::make_shared<const AccessPolicy>(*std::move(read));
    {
      absl::MutexLock lock(&mutex_);
      policy_ = std::move(next);
    }
    Log(LogLevel::kInfo, "access policy read", {{"file", path}, {"subscribers", subscribers}});
    if (without_effect) {
      Log(LogLevel::kWarning,
          "service_accounts in the access policy have no effect without --service_account_issuer and its keys",
          {{"file", path}});
    }
    return absl::OkStatus();
  }
  {
    absl::MutexLock lock(&mutex_);
    had_any = policy_ != nullptr;
  }
  const absl::Status status = absl::InvalidArgumentError(
      absl::StrCat(absl::string_view(path.data(), path.size()), ": ", read.status().message()));
  if (had_any) {
    Log(LogLevel::kError, "access policy NOT read; the one that was read before stays in force",
        {{"file", path}, {"cause", std::string(status.message())}});
  }
  return status;
}

void AccessControl::ReportUnreadable(std::string_view path, const absl::Status& cause) {
  Log(LogLevel::kError, "the access policy cannot be read; the one that was read before stays in force",
      {{"file", path}, {"cause", cause}});
}

std::shared_ptr<const AccessPolicy> AccessControl::policy() const {
  absl::MutexLock lock(&mutex_);
  return policy_;
}

Caller AccessControl::Identify(const grpc::ServerContext& context) {
  std::shared_ptr<const AccessPolicy> current = policy();
  const absl::Time now = absl::Now();
  // Without a policy it still counts whether the certificate has expired.
  if (current == nullptr) return Caller(ReadCallerClaim({}, NamesOf(context), now), nullptr);
  std::vector<std::string_view> authorization;
  const auto [begin, end] = context.client_metadata().equal_range(kAuthorizationKey);
  for (auto value = begin; value != end; ++value) {
    authorization.emplace_back(value->second.data(), value->second.size());
  }
  Caller caller = Caller::Identify(authorization, NamesOf(context), std::move(current), service_accounts_, now);
  authentications_
      .Add({{"method", MethodLabel(caller.claim().method)},
            {"key", caller.name().empty() ? "none" : std::string(caller.name())},
            {"result", ResultLabel(caller.result())}})
      .Increment();
  return caller;
}

Caller AccessControl::IdentifyAgain(const Caller& caller) const {
  std::shared_ptr<const AccessPolicy> current = policy();
  return current == nullptr ? Caller() : caller.Again(std::move(current), service_accounts_);
}

void AccessControl::LogRefusal(std::string_view call, const Caller& caller, const std::string& peer,
                               const absl::Status& status) {
  const std::optional<uint64_t> left_out = refusal_lines_.Admit(absl::Now());
  if (!left_out.has_value()) return;
  // The status's own words may hold what was asked for, which is the caller's: only our reason is told.
  std::string reason;
  std::string right;
  if (const auto info = ReasonOf(status); info.has_value()) {
    reason = info->reason();
    const auto found = info->metadata().find("right");
    if (found != info->metadata().end()) right = found->second;
  }
  Log(LogLevel::kWarning, "call refused",
      {{"call", call},
       {"subscriber", caller.name().empty() ? std::string_view("none") : caller.name()},
       {"peer", peer},
       {"method", MethodLabel(caller.claim().method)},
       {"reason", reason},
       {"right", right},
       {"cause", caller.claim().service_account.cause},
       {"refusals_not_logged", *left_out}});
}

absl::Status CheckAuthentic(const Caller& caller) {
  switch (caller.result()) {
    case CallerResult::kAuthentic:
      return absl::OkStatus();
    case CallerResult::kAbsent:
      return WithReason(
          absl::UnauthenticatedError("this server must know who calls: send the metadata `authorization: Bearer "
                                     "TOKEN`, or use a client certificate, as agreed with its operator"),
          "CREDENTIALS_MISSING");
    case CallerResult::kIllFormed:
      return WithReason(
          absl::UnauthenticatedError("the metadata `authorization` must be there once, as `Bearer TOKEN`"),
          "CREDENTIALS_REJECTED");
    case CallerResult::kUndecided:
      return WithReason(
          absl::UnavailableError("the keys to verify this service account's token are not here yet; try again soon"),
          "TOKEN_KEYS_UNAVAILABLE");
    case CallerResult::kWrong:
      break;
  }
  if (caller.claim().certificate_expired) {
    return WithReason(absl::UnauthenticatedError("the client certificate has expired; connect anew with a newer one"),
                      "CREDENTIALS_REJECTED");
  }
  if (caller.claim().method == CallerMethod::kServiceAccount) {
    const std::string_view cause = caller.claim().service_account.cause;
    return WithReason(absl::UnauthenticatedError(absl::StrCat(
                          "the service account's token is not accepted: ",
                          cause.empty() ? "nobody here has this account; ask the operator" : std::string(cause))),
                      "CREDENTIALS_REJECTED");
  }
  return WithReason(
      absl::UnauthenticatedError(
          caller.claim().method == CallerMethod::kToken
              ? "the bearer token is not known here; it may have been revoked or replaced: ask the operator"
              : "no name in the client certificate's subjectAltName is known here: ask the operator"),
      "CREDENTIALS_REJECTED");
}

}  // namespace refund_relay
