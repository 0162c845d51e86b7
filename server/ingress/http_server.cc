#include "server/ingress/http_server.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/ingress/problem_json.h"
#include "server/ops/logging.h"

namespace refund_relay {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr int kListenBacklog = 4096;  // the kernel cuts it to net.core.somaxconn
// After a failed accept (no file descriptors left, say) the loop rests so long; the peers wait in the backlog.
constexpr std::chrono::milliseconds kAcceptPause(50);
// Before the deadline of a stop, for the answers to what did not finish in time.
constexpr absl::Duration kLastAnswers = absl::Milliseconds(500);

absl::Status BindError(const ListenAddress& address, const error_code& ec) {
  return absl::UnavailableError(
      absl::StrCat("cannot listen on ", address.ToString(), ": ", ec.message(), "; choose another --http_address"));
}

// A word to a connection too many, without waiting for anything.
void RefuseConnection(TcpSocket& socket, PeerQuota::Verdict verdict) {
  HttpAnswer answer;
  answer.status = 503;
  answer.content_type = "application/problem+json";
  answer.body = ProblemJson(503, ReasonPhrase(503),
                            verdict == PeerQuota::Verdict::kFullForPeer
                                ? "too many connections from this address; close some, or try again"
                                : "too many connections; try again");
  answer.fields = {{"Retry-After", "1"}};
  AnswerFraming framing;
  framing.keep_alive = false;
  std::string out;
  AppendHttpAnswer(answer, framing, out);
  error_code ignored;
  socket.non_blocking(true, ignored);
  socket.send(asio::buffer(out), 0, ignored);
  socket.shutdown(TcpSocket::shutdown_send, ignored);
}

}  // namespace

HttpServer::HttpServer(const HttpOptions& options, RequestHandler& handler) : shared_(options, handler) {}

HttpServer::~HttpServer() { Stop(absl::InfinitePast()); }

absl::Status HttpServer::Start(const ListenAddress& address) {
  error_code ec;
  const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(address.host, ec), address.port);
  if (ec) return absl::InvalidArgumentError(absl::StrCat("\"", address.host, "\" is not an IP address"));
  const int count = std::max(1, shared_.options.threads);
  for (int i = 0; i < count; ++i) threads_.push_back(std::make_unique<IoThread>(shared_));

  asio::io_context& context = threads_.front()->context();
  acceptor_ = std::make_unique<asio::ip::tcp::acceptor>(context);
  acceptor_->open(endpoint.protocol(), ec);
  // Not SO_REUSEPORT: a second server on the same port must fail, not share it.
  if (!ec) acceptor_->set_option(asio::socket_base::reuse_address(true), ec);
  if (!ec) acceptor_->bind(endpoint, ec);
  if (!ec) acceptor_->listen(kListenBacklog, ec);
  if (!ec) endpoint_ = acceptor_->local_endpoint(ec);
  if (ec) {
    acceptor_.reset();
    threads_.clear();
    return BindError(address, ec);
  }
  accept_pause_ = std::make_unique<asio::steady_timer>(context);
  running_ = true;
  Accept();
  for (const auto& thread : threads_) thread->Start();
  return absl::OkStatus();
}

void HttpServer::StartDraining() {
  shared_.draining.store(true, std::memory_order_relaxed);
  for (const auto& thread : threads_) thread->CloseIdle();
}

bool HttpServer::Stop(absl::Time deadline) {
  if (!running_) return true;
  running_ = false;
  shared_.draining.store(true, std::memory_order_relaxed);
  asio::post(threads_.front()->context(), [this] {
    error_code ignored;
    acceptor_->close(ignored);
    accept_pause_->cancel();
    // Only now, so that no connection is handed over after it.
    for (const auto& thread : threads_) thread->CloseIdle();
  });
  const bool finished = shared_.connections.AwaitNone(deadline - kLastAnswers);
  if (!finished) {
    for (const auto& thread : threads_) thread->AnswerUnfinished();
    shared_.connections.AwaitNone(deadline);
  }
  for (const auto& thread : threads_) thread->Cut();
  for (const auto& thread : threads_) thread->Join();
  acceptor_.reset();
  accept_pause_.reset();
  return finished;
}

void HttpServer::Accept() {
  IoThread& thread = *threads_[next_thread_++ % threads_.size()];
  acceptor_->async_accept(thread.context(), [this, &thread](const error_code& ec, TcpSocket socket) {
    FinishAccept(ec, thread, std::move(socket));
  });
}

void HttpServer::FinishAccept(const error_code& ec, IoThread& thread, TcpSocket socket) {
  if (!acceptor_->is_open()) return;
  if (ec && ec != asio::error::connection_aborted && ec != asio::error::interrupted) {
    if (const auto left_out = accept_failure_lines_.Admit(absl::Now()); left_out.has_value()) {
      Log(LogLevel::kWarning, "cannot accept HTTP connections for now; raise the limit of open files if it is that",
          {{"cause", ec.message()}, {"open_connections", open_connections()}, {"lines_left_out", *left_out}});
    }
    accept_pause_->expires_after(kAcceptPause);
    accept_pause_->async_wait([this](const error_code& cancelled) {
      if (!cancelled && acceptor_->is_open()) Accept();
    });
    return;
  }
  if (!ec) Admit(thread, std::move(socket));
  Accept();
}

void HttpServer::Admit(IoThread& thread, TcpSocket socket) {
  error_code gone;
  const asio::ip::tcp::endpoint remote = socket.remote_endpoint(gone);
  if (gone) return;
  const PeerAddress peer = PeerAddress::Of(remote.address());
  const PeerQuota::Verdict verdict = shared_.connections.Take(peer);
  if (verdict == PeerQuota::Verdict::kTaken) {
    error_code ignored;
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    return thread.Adopt(std::move(socket), peer);
  }
  shared_.handler.CountRefusedConnection(verdict);
  if (const auto left_out = refusal_lines_.Admit(absl::Now()); left_out.has_value()) {
    const bool of_peer = verdict == PeerQuota::Verdict::kFullForPeer;
    Log(LogLevel::kWarning, "HTTP connection refused: too many are open",
        {{"peer", peer.ToString()},
         {"flag", of_peer ? "--max_http_connections_per_peer" : "--max_http_connections"},
         {"limit", of_peer ? shared_.connections.limit_per_peer() : shared_.connections.limit()},
         {"refusals_not_logged", *left_out}});
  }
  // In plain text only: a TLS client could not read it, and a handshake is what there is no room for.
  if (shared_.options.tls == nullptr) RefuseConnection(socket, verdict);
}

}  // namespace refund_relay
