#include "tests/testing/running_ingress.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <stdexcept>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/ops/logging.h"

namespace refund_relay::testing {
namespace {

absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

std::string Sign(std::string_view body, std::string_view secret) {
  unsigned char code[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(body.data()), body.size(), code, &size);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(code), size));
}

std::string BasicHeader(std::string_view pair) { return absl::StrCat("Basic ", absl::Base64Escape(Absl(pair))); }

std::string WebhookBody(std::string_view refund_id) {
  return absl::StrCat(R"({"entity":"event","user_id":"u","event":"refunded.pass","contains":["refund"],"payload":)",
                      R"({"refund":{"_id":")", Absl(refund_id), R"(","amount":1,"currency":"INR",)",
                      R"("updatedAt":"2024-02-29T06:21:21.144Z"}},"created_at":1709187681})");
}

std::string RequestText::Text() const {
  std::string text = absl::StrCat(line, "\r\n");
  for (const std::string& field : fields) absl::StrAppend(&text, field, "\r\n");
  return absl::StrCat(text, "\r\n", body);
}

RequestText Request(std::string_view body, std::vector<std::string> extra) {
  RequestText request;
  request.fields = {"Host: relay", "Content-Type: application/json;charset=utf-8",
                    absl::StrCat("Content-Length: ", body.size())};
  request.fields.insert(request.fields.end(), extra.begin(), extra.end());
  request.body = body;
  return request;
}

std::string SignedRequest(std::string_view body, std::vector<std::string> extra) {
  extra.push_back(absl::StrCat("X-Conscent-Signature: ", Sign(body)));
  return Request(body, std::move(extra)).Text();
}

RunningIngress::RunningIngress(const Settings& s) : settings(s) {
  SetLogSink([this](std::string_view line) {
    absl::MutexLock lock(&lines_mutex_);
    lines_.emplace_back(line);
  });
  if (!credentials.Update(kSecretFile, kSecret).ok() || !credentials.Update(kBasicFile, kBasicPair).ok()) {
    throw std::logic_error("the test's own credentials are ill-formed");
  }
  ingress_ = std::make_unique<Ingress>(settings.http, settings.max_webhooks_per_second,
                                       WebhookHandler::Parts{credentials, publisher, metrics_, Clock::System()},
                                       &ParseWebhook);
  if (const absl::Status status = ingress_->Start({settings.host, 0}); !status.ok()) {
    throw std::runtime_error(status.ToString());
  }
}

RunningIngress::~RunningIngress() {
  ingress_.reset();
  log.Stop();  // before what its answers use
  history.Stop();
  SetLogSink(nullptr);
}

double RunningIngress::Metric(const std::string& name, const std::string& label, const std::string& value) const {
  for (const prometheus::MetricFamily& family : registry_.Collect()) {
    if (family.name != name) continue;
    for (const prometheus::ClientMetric& metric : family.metric) {
      bool matches = label.empty();
      for (const auto& pair : metric.label) matches = matches || (pair.name == label && pair.value == value);
      if (!matches) continue;
      return family.type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value;
    }
  }
  return -1;
}

std::vector<std::string> RunningIngress::log_lines() const {
  absl::MutexLock lock(&lines_mutex_);
  return lines_;
}

}  // namespace refund_relay::testing
