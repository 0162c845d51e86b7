// The byte stream under an HTTP connection: the one place that knows whether it is plain TCP or TLS.
#ifndef REFUND_RELAY_SERVER_INGRESS_HTTP_STREAM_H_
#define REFUND_RELAY_SERVER_INGRESS_HTTP_STREAM_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "server/ingress/handshake_queue.h"

namespace refund_relay {

// A TCP socket bound to the io_context of one I/O thread. The concrete executor type spares Asio's type erasure on
// every read and write.
using TcpSocket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

// Plain TCP, or TLS over it; which one costs plain text a test of a pointer. One thread. At most one read and one write
// at a time, and for Asio's composed operations what a stream must have.
class HttpStream {
 public:
  using AwaitTurn = absl::AnyInvocable<void(HandshakeQueue::Step)>;
  using executor_type = TcpSocket::executor_type;

  // `tls` null: plain text. The stream keeps what it needs of the context.
  HttpStream(TcpSocket socket, boost::asio::ssl::context* tls) : socket_(std::move(socket)) {
    if (tls != nullptr) tls_ = std::make_unique<Tls>(paced_, *tls);
  }

  executor_type get_executor() { return socket_.get_executor(); }
  bool needs_handshake() const { return tls_ != nullptr; }

  // With TLS, before anything else: `done(error)`. Each time that bytes of the peer are there, `await_turn` is called
  // with the step that takes them, and calls that later, from the event loop.
  template <typename Done>
  void Handshake(AwaitTurn await_turn, Done done) {
    paced_.await_turn = std::move(await_turn);
    tls_->async_handshake(boost::asio::ssl::stream_base::server,
                          [this, done = std::move(done)](const boost::system::error_code& ec) mutable {
                            paced_.await_turn = nullptr;
                            done(ec);
                          });
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
  // What TLS reads from and writes to: the socket, whose reads wait for their turn during the handshake.
  struct PacedSocket {
    using executor_type = TcpSocket::executor_type;
    using lowest_layer_type = TcpSocket::lowest_layer_type;

    executor_type get_executor() { return socket.get_executor(); }
    lowest_layer_type& lowest_layer() { return socket.lowest_layer(); }
    const lowest_layer_type& lowest_layer() const { return socket.lowest_layer(); }

    template <typename Buffers, typename Done>
    void async_read_some(const Buffers& buffers, Done&& done) {
      if (!await_turn) return socket.async_read_some(buffers, std::forward<Done>(done));
      socket.async_wait(TcpSocket::wait_read,
                        [this, buffers, done = std::forward<Done>(done)](const boost::system::error_code& ec) mutable {
                          if (ec) return done(ec, 0);
                          // The peer's connection may be closed while it waits: the read fails then.
                          await_turn([this, buffers, done = std::move(done)]() mutable {
                            socket.async_read_some(buffers, std::move(done));
                          });
                        });
    }

    template <typename Buffers, typename Done>
    void async_write_some(const Buffers& buffers, Done&& done) {
      socket.async_write_some(buffers, std::forward<Done>(done));
    }

    TcpSocket& socket;
    AwaitTurn await_turn = nullptr;  // null but during the handshake
  };
  using Tls = boost::asio::ssl::stream<PacedSocket&>;

  void ShutdownSocket() {
    boost::system::error_code ignored;
    socket_.shutdown(boost::asio::socket_base::shutdown_send, ignored);
  }

  TcpSocket socket_;
  PacedSocket paced_{socket_};
  std::unique_ptr<Tls> tls_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_HTTP_STREAM_H_
