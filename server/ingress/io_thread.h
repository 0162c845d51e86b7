// One I/O thread of the HTTP server: an event loop, the connections it owns, its mailbox.
#ifndef REFUND_RELAY_SERVER_INGRESS_IO_THREAD_H_
#define REFUND_RELAY_SERVER_INGRESS_IO_THREAD_H_

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "server/ingress/answer_mailbox.h"
#include "server/ingress/handshake_queue.h"
#include "server/ingress/http_options.h"
#include "server/ingress/http_stream.h"
#include "server/ingress/request_handler.h"
#include "server/ops/peer_address.h"
#include "server/ops/peer_quota.h"

namespace refund_relay {

class HttpConnection;

// What all I/O threads of one server share. Thread-safe.
struct HttpShared {
  HttpShared(const HttpOptions& o, RequestHandler& h)
      : options(o), handler(h), connections(o.max_connections, o.max_connections_per_peer) {}

  const HttpOptions options;
  RequestHandler& handler;
  PeerQuota connections;
  std::atomic<bool> draining = false;  // every answer closes its connection
};

class IoThread {
 public:
  // `shared` must outlive the thread.
  explicit IoThread(HttpShared& shared);
  ~IoThread();

  // From any thread.
  boost::asio::io_context& context() { return *context_; }
  void Start();
  // Takes over a connection that was counted in shared.connections.
  void Adopt(TcpSocket socket, const PeerAddress& peer);
  // Closes the connections on which no request is under way.
  void CloseIdle();
  // Gives an answer to every request that is still under way.
  void AnswerUnfinished();
  // Cuts every connection; the thread ends when nothing is left to do. Call once, then Join.
  void Cut();
  void Join();

  // On this thread only.
  HttpShared& shared() { return shared_; }
  const std::shared_ptr<AnswerMailbox>& mailbox() { return mailbox_; }
  void Remove(HttpConnection& connection);
  // `step` is called when it is its turn, not before this has returned.
  void QueueHandshakeStep(const PeerAddress& peer, HandshakeQueue::Step step);
  std::string NewRequestId();
  // The Date field's value, made anew once a second.
  std::string_view Date();

 private:
  void RunHandshakeStep();
  void ArmSweep();
  void Sweep();
  void DeliverLetters();

  HttpShared& shared_;
  // Shared with the mailbox, which tickets may keep alive after this object.
  const std::shared_ptr<boost::asio::io_context> context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  const std::shared_ptr<AnswerMailbox> mailbox_;
  std::thread thread_;

  // Of this thread only. One timer looks at all connections' deadlines, so that a request arms none.
  boost::asio::steady_timer sweep_timer_;
  bool sweeping_ = false;
  bool cut_ = false;
  HandshakeQueue handshakes_;
  bool handshake_posted_ = false;  // RunHandshakeStep is on its way
  std::vector<std::shared_ptr<HttpConnection>> connections_;
  std::vector<AnswerMailbox::Letter> letters_;
  std::mt19937_64 random_;
  std::chrono::system_clock::time_point date_until_;
  std::string date_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_IO_THREAD_H_
