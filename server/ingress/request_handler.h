// What an HTTP server asks of the code behind it.
#ifndef REFUND_RELAY_SERVER_INGRESS_REQUEST_HANDLER_H_
#define REFUND_RELAY_SERVER_INGRESS_REQUEST_HANDLER_H_

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>

#include "server/ingress/answer_mailbox.h"
#include "server/ingress/http_answer.h"
#include "server/ingress/request_head.h"
#include "server/ops/peer_quota.h"

namespace refund_relay {

// The handling of one request at a time: made once a connection and used for all its requests, in order. Every call
// comes from the connection's I/O thread and must not block. For each request `Begin` comes first, and exactly one
// answer is given, by whichever of the others gives one first.
class RequestExchange {
 public:
  virtual ~RequestExchange() = default;

  // A request starts. `request_id` is valid until the next `Begin`.
  virtual void Begin(std::string_view request_id, std::chrono::steady_clock::time_point started) = 0;

  // The head is complete and well framed. Returns the answer that refuses the request before its body is read, or
  // nothing to go on. `head` is valid until the answer.
  virtual std::optional<HttpAnswer> CheckHead(const RequestHead& head) = 0;

  // The body is complete; it is valid during the call. Returns the answer, or keeps `ticket` to give it later.
  virtual std::optional<HttpAnswer> HandleBody(std::string_view body, AnswerTicket ticket) = 0;

  // `ticket` was not used within the answer time-out, and no longer can be.
  virtual HttpAnswer TimeOut() = 0;

  // The server itself refuses the request (400, 408, 413, 431).
  virtual HttpAnswer Refuse(int status, std::string_view detail) = 0;
};

// Thread-safe. Must outlive the server.
class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  virtual std::unique_ptr<RequestExchange> NewExchange() = 0;
  // A connection was opened (+1) or closed (-1).
  virtual void CountConnection(int change) = 0;
  // One more connection was refused, because there are too many.
  virtual void CountRefusedConnection(PeerQuota::Verdict why) = 0;
  // A TLS handshake came off, or its connection ended before: garbage, a time-out, a peer that left.
  virtual void CountHandshake(bool completed) = 0;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_REQUEST_HANDLER_H_
