// The byte stream under an HTTP connection: the one place that knows whether it is plain TCP or TLS.
#ifndef REFUND_RELAY_SERVER_INGRESS_HTTP_STREAM_H_
#define REFUND_RELAY_SERVER_INGRESS_HTTP_STREAM_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <utility>

namespace refund_relay {

// A TCP socket bound to the io_context of one I/O thread. The concrete executor type spares Asio's type erasure on
// every read and write.
using TcpSocket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

// Plain TCP, or TLS over it; which one costs plain text a test of a pointer. One thread. At most one read and one write
// at a time, and for Asio's composed operations what a stream must have.
class HttpStream {
 public:
  using executor_type = TcpSocket::executor_type;

  // `tls` null: plain text. The stream keeps what it needs of the context.
  HttpStream(TcpSocket socket, boost::asio::ssl::context* tls) : socket_(std::move(socket)) {
    if (tls != nullptr) tls_ = std::make_unique<Tls>(socket_, *tls);
  }

  executor_type get_executor() { return socket_.get_executor(); }
  bool needs_handshake() const { return tls_ != nullptr; }

  // With TLS, before anything else: `done(error)`.
  template <typename Done>
  void Handshake(Done&& done) {
    tls_->async_handshake(boost::asio::ssl::stream_base::server, std::forward<Done>(done));
  }

  template <typename Buffers, typename Done>
  void async_read_some(const Buffers& buffers, Done&& done) {
    if (tls_ == nullptr) return socket_.async_read_some(buffers, std::forward<Done>(done));
    tls_->async_read_some(buffers, std::forward<Done>(done));
  }

  template <typename Buffers, typename Done>
  void async_write_some(const Buffers& buffers, Done&& done) {
    if (tls_ == nullptr) return socket_.async_write_some(buffers, std::forward<Done>(done));
    tls_->async_write_some(buffers, std::forward<Done>(done));
  }

  // Tells the peer that nothing more will be sent, then calls `done()`; `ReadRaw` stays possible. Errors mean that the
  // peer is gone, or sends on: the next read shows it.
  template <typename Done>
  void ShutdownSend(Done done) {
    if (tls_ == nullptr) {
      ShutdownSocket();
      return done();
    }
    // Sends close_notify, without which a truncated answer would look like a whole one, and waits for the peer's.
    tls_->async_shutdown([this, done = std::move(done)](const boost::system::error_code&) {
      ShutdownSocket();
      done();
    });
  }

  // Reads bytes as they come, undecrypted: for bytes that nobody looks at.
  template <typename Buffers, typename Done>
  void ReadRaw(const Buffers& buffers, Done&& done) {
    socket_.async_read_some(buffers, std::forward<Done>(done));
  }

  // Aborts the reads and writes that are under way.
  void CancelPending() {
    boost::system::error_code ignored;
    socket_.cancel(ignored);
  }

  // Aborts likewise, and breaks the connection off.
  void Close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

 private:
  using Tls = boost::asio::ssl::stream<TcpSocket&>;

  void ShutdownSocket() {
    boost::system::error_code ignored;
    socket_.shutdown(boost::asio::socket_base::shutdown_send, ignored);
  }

  TcpSocket socket_;
  std::unique_ptr<Tls> tls_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_HTTP_STREAM_H_
