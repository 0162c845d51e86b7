// The ingress as the application sees it: takes refund webhooks over HTTP and publishes them.
#ifndef REFUND_RELAY_SERVER_INGRESS_INGRESS_H_
#define REFUND_RELAY_SERVER_INGRESS_INGRESS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/ingress/http_options.h"
#include "server/ingress/http_server.h"
#include "server/ingress/webhook_handler.h"

namespace refund_relay {

// The HTTP server and the webhook handler behind it. Called by one thread, in the order Start, StartDraining, Stop.
class Ingress {
 public:
  // `http.limits.body_bytes` is --max_body_bytes and `http.answer_timeout` --commit_timeout. Everything in `parts` must
  // outlive the ingress; the publisher's log may still call back after it.
  Ingress(const HttpOptions& http, double max_webhooks_per_second, const WebhookHandler::Parts& parts,
          ParseFunction parse)
      : handler_({http.limits.body_bytes, max_webhooks_per_second}, parts, std::move(parse)), server_(http, handler_) {}

  // See HttpServer::Start. The credentials must be complete (CredentialStore::CheckComplete): the caller fails closed.
  absl::Status Start(const ListenAddress& address) { return server_.Start(address); }

  // The bound port and address; after Start.
  uint16_t port() const { return server_.port(); }
  std::string address() const { return server_.address(); }

  // From now on new webhooks are answered 503 with Retry-After, and every answer closes its connection.
  void StartDraining() {
    handler_.StartDraining();
    server_.StartDraining();
  }

  // See HttpServer::Stop: lets webhooks under way be answered until `deadline`; false if any had to be cut. Afterwards
  // the log may be closed.
  bool Stop(absl::Time deadline) {
    StartDraining();
    return server_.Stop(deadline);
  }

  size_t open_connections() const { return server_.open_connections(); }

 private:
  WebhookHandler handler_;
  HttpServer server_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_INGRESS_H_
