// The byte stream under an HTTP connection: the one place that knows whether it is plain TCP.
#ifndef REFUND_RELAY_SERVER_INGRESS_HTTP_STREAM_H_
#define REFUND_RELAY_SERVER_INGRESS_HTTP_STREAM_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace refund_relay {

// A TCP socket bound to the io_context of one I/O thread. The concrete executor type spares Asio's type erasure on
// every read and write. TLS replaces this alias by a stream with the same async_read_some and async_write_some, and the
// functions below by its own.
using TcpSocket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;
using HttpStream = TcpSocket;

// Tells the peer that nothing more will be sent, and keeps reading possible. Errors mean that the peer is gone: the
// next read shows it.
inline void ShutdownSend(HttpStream& stream) {
  boost::system::error_code ignored;
  stream.shutdown(boost::asio::socket_base::shutdown_send, ignored);
}

// Aborts the reads and writes that are under way.
inline void CancelPending(HttpStream& stream) {
  boost::system::error_code ignored;
  stream.cancel(ignored);
}

inline void CloseStream(HttpStream& stream) {
  boost::system::error_code ignored;
  stream.close(ignored);
}

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_HTTP_STREAM_H_
