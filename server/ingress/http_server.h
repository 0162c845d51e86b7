// The HTTP/1.1 server of the ingress: bytes, framing rules, limits, deadlines. Knows no JSON and nothing of webhooks.
#ifndef REFUND_RELAY_SERVER_INGRESS_HTTP_SERVER_H_
#define REFUND_RELAY_SERVER_INGRESS_HTTP_SERVER_H_

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/ingress/http_options.h"
#include "server/ingress/io_thread.h"
#include "server/ingress/request_handler.h"
#include "server/ops/listen_address.h"
#include "server/ops/log_limiter.h"

namespace refund_relay {

// Start, StartDraining and Stop are called by one thread, in that order (StartDraining may be left out).
class HttpServer {
 public:
  // `handler` must outlive the server, but not the tickets that it was given.
  HttpServer(const HttpOptions& options, RequestHandler& handler);
  // Stops at once if that was not done.
  ~HttpServer();

  // Binds `address`, IPv4 or IPv6, and serves. INVALID_ARGUMENT: its host is no IP address. UNAVAILABLE: cannot be
  // bound; the message names address and cause.
  absl::Status Start(const ListenAddress& address);

  // After Start: the bound port, and the address as a client writes it.
  uint16_t port() const { return endpoint_.port(); }
  std::string address() const { return ListenAddress{endpoint_.address().to_string(), port()}.ToString(); }
  size_t open_connections() const { return shared_.connections.taken(); }

  // From now on every answer closes its connection, and idle connections are closed; new ones are still accepted.
  void StartDraining();

  // Stops accepting, closes idle connections and lets requests under way finish until shortly before `deadline`. Of the
  // rest, those that are not complete are answered 503 then, those whose outcome is not known as for a time-out; at the
  // deadline every connection is cut. Joins the threads. Returns false if there was such a rest. Safe to call twice.
  bool Stop(absl::Time deadline);

 private:
  void Accept();
  void FinishAccept(const boost::system::error_code& ec, IoThread& thread, TcpSocket socket);

  void Admit(IoThread& thread, TcpSocket socket);

  HttpShared shared_;
  std::vector<std::unique_ptr<IoThread>> threads_;
  boost::asio::ip::tcp::endpoint endpoint_;
  bool running_ = false;

  // Of the first I/O thread.
  std::unique_ptr<boost::asio::ip::tcp::acceptor> acceptor_;
  std::unique_ptr<boost::asio::steady_timer> accept_pause_;
  size_t next_thread_ = 0;
  LogLimiter accept_failure_lines_{1, absl::Seconds(10)};
  LogLimiter refusal_lines_{1, absl::Seconds(10)};
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_HTTP_SERVER_H_
