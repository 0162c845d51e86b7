#include "server/ingress/ingress_metrics.h"

namespace refund_relay {
namespace {

const prometheus::Histogram::BucketBoundaries kDurationBuckets = {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05,
                                                                  0.1,    0.2,   0.5,   1,     2,    5,    10};

}  // namespace

IngressMetrics::IngressMetrics(prometheus::Registry& registry)
    : duration_(prometheus::BuildHistogram()
                    .Name("refund_relay_webhook_duration_seconds")
                    .Help("Time from a webhook's first byte to its answer.")
                    .Register(registry)
                    .Add({}, kDurationBuckets)),
      authentication_(prometheus::BuildCounter()
                          .Name("refund_relay_authentication_total")
                          .Help("Authentications by method, result and what matched: a credential (file:line) or, for "
                                "gRPC, a subscriber.")
                          .Register(registry)),
      schema_drift_(prometheus::BuildCounter()
                        .Name("refund_relay_schema_drift_total")
                        .Help("Places where accepted webhooks left the known schema, by field.")
                        .Register(registry)),
      connections_(prometheus::BuildGauge()
                       .Name("refund_relay_http_connections")
                       .Help("Open HTTP connections of the ingress.")
                       .Register(registry)
                       .Add({})) {
  auto& refused = prometheus::BuildCounter()
                      .Name("refund_relay_http_connections_refused_total")
                      .Help(
                          "HTTP connections refused because too many were open, in all (total) or of one address "
                          "(peer).")
                      .Register(registry);
  refused_connections_[0] = &refused.Add({{"reason", RefusalReason(PeerQuota::Verdict::kFull)}});
  refused_connections_[1] = &refused.Add({{"reason", RefusalReason(PeerQuota::Verdict::kFullForPeer)}});
  auto& handshakes = prometheus::BuildCounter()
                         .Name("refund_relay_http_tls_handshakes_total")
                         .Help("TLS handshakes of the ingress that came off, or ended before that.")
                         .Register(registry);
  handshakes_[0] = &handshakes.Add({{"result", "failed"}});
  handshakes_[1] = &handshakes.Add({{"result", "completed"}});
  auto& counts = prometheus::BuildCounter()
                     .Name("refund_relay_webhooks_total")
                     .Help("Requests to the ingress by how they ended.")
                     .Register(registry);
  auto& lasts = prometheus::BuildGauge()
                    .Name("refund_relay_last_webhook_timestamp_seconds")
                    .Help("When a request last ended so; 0 = never since the start.")
                    .Register(registry);
  for (const HttpStatusRow& row : HttpStatusTable()) {
    const std::string label(row.label);
    results_.push_back({&counts.Add({{"result", label}}), &lasts.Add({{"result", label}})});
  }
}

void IngressMetrics::CountWebhook(WebhookResult result, absl::Time now, absl::Duration duration) {
  const OfResult& of = results_[static_cast<size_t>(result)];
  of.count->Increment();
  of.last->Set(absl::ToDoubleSeconds(now - absl::UnixEpoch()));
  duration_.Observe(absl::ToDoubleSeconds(duration));
}

uint64_t IngressMetrics::AcceptedAnswers() const {
  return static_cast<uint64_t>(results_[static_cast<size_t>(WebhookResult::kAccepted)].count->Value());
}

void IngressMetrics::CountAuthentication(AuthenticationMethod method, AuthenticationResult result,
                                         std::string_view key) {
  const auto counter = [&]() -> prometheus::Counter& {
    return authentication_.Add({{"method", std::string(AuthenticationMethodName(method))},
                                {"key", key.empty() ? "none" : std::string(key)},
                                {"result", std::string(AuthenticationResultName(result))}});
  };
  if (result != AuthenticationResult::kAuthentic) return counter().Increment();
  prometheus::Counter* known = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    auto& by_key = authentic_by_key_[static_cast<size_t>(method)];
    const auto found = by_key.find(absl::string_view(key.data(), key.size()));
    if (found != by_key.end()) {
      known = found->second;
    } else {
      known = &counter();
      by_key.emplace(std::string(key), known);
    }
  }
  known->Increment();
}

void IngressMetrics::CountSchemaDrift(std::string_view field) {
  schema_drift_.Add({{"field", std::string(field)}}).Increment();
}

}  // namespace refund_relay
