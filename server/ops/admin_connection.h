// AdminConnection: one request to the admin server and its answer.
#ifndef REFUND_RELAY_SERVER_OPS_ADMIN_CONNECTION_H_
#define REFUND_RELAY_SERVER_OPS_ADMIN_CONNECTION_H_

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "server/ops/admin_server.h"

namespace refund_relay {

// Lives as long as an operation on its socket or an answer of liveness is under way. Only the admin server's thread
// touches it.
class AdminConnection : public std::enable_shared_from_this<AdminConnection> {
 public:
  // `tls` null: plain text. `handlers` must outlive the connection. `closed` is called once, when the connection is
  // over.
  AdminConnection(boost::asio::ip::tcp::socket socket, std::shared_ptr<const TlsIdentity> tls,
                  const AdminHandlers& handlers, std::function<void()> closed);
  ~AdminConnection() { closed_(); }
  AdminConnection(const AdminConnection&) = delete;
  AdminConnection& operator=(const AdminConnection&) = delete;

  // Reads the request and answers it; whatever happens, the connection is over by `deadline` from now.
  void Start(absl::Duration deadline);

  // Breaks the connection off.
  void Close();

 private:
  using Status = boost::beast::http::status;

  // Calls `use` with the stream to read from and write to.
  template <typename Use>
  void OnStream(Use use) {
    if (secured_ == nullptr) return use(stream_);
    use(*secured_);
  }

  void ReadHeader();
  void OnHeader(boost::beast::error_code error);
  void Route();
  void AskLiveness();
  void Answer(Status status, const char* content_type, std::string body);
  void AnswerError(Status status, std::string_view reason);
  // Then reads what still comes, undecrypted, so that the peer sees the answer and not a reset.
  void HalfClose();
  void Discard(size_t bytes_so_far);

  const AdminHandlers& handlers_;
  const std::function<void()> closed_;
  const std::shared_ptr<const TlsIdentity> tls_;
  boost::beast::tcp_stream stream_;
  std::unique_ptr<boost::asio::ssl::stream<boost::beast::tcp_stream&>> secured_;  // null: plain text
  boost::beast::flat_buffer buffer_;
  boost::beast::http::request_parser<boost::beast::http::empty_body> request_;
  boost::beast::http::response<boost::beast::http::string_body> response_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_ADMIN_CONNECTION_H_
