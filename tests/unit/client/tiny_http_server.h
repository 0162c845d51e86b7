// An HTTP server for one request, on a real socket.
#ifndef REFUND_RELAY_TESTS_UNIT_CLIENT_TINY_HTTP_SERVER_H_
#define REFUND_RELAY_TESTS_UNIT_CLIENT_TINY_HTTP_SERVER_H_

#include <cstdint>
#include <string>
#include <thread>
#include <utility>

#include "boost/asio/io_context.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/read_until.hpp"
#include "boost/asio/streambuf.hpp"
#include "boost/asio/write.hpp"
#include "server/ops/http_client.h"

namespace refund_relay {

// Takes one connection, reads a request whose body ends in `request_end`, and writes `answer`, or writes nothing and
// waits for the peer to go.
class TinyHttpServer {
 public:
  // Port 0 picks a free one; another may be a ReservedPort.
  explicit TinyHttpServer(std::string answer, uint16_t port = 0, std::string request_end = "the end")
      : acceptor_(Listen(io_, port)),
        url_text_("http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/hook"),
        url_(ParseHttpUrl(url_text_).value()),
        thread_([this, answer = std::move(answer), end = std::move(request_end)] { Serve(answer, end); }) {}
  ~TinyHttpServer() {
    if (thread_.joinable()) thread_.join();
  }

  const std::string& url_text() const { return url_text_; }
  const HttpUrl& url() const { return url_; }
  // The request; waits for the connection to be over.
  std::string Request() {
    thread_.join();
    return request_;
  }

 private:
  static boost::asio::ip::tcp::acceptor Listen(boost::asio::io_context& io, uint16_t port) {
    const boost::asio::ip::tcp::endpoint endpoint(boost::asio::ip::address_v4::loopback(), port);
    boost::asio::ip::tcp::acceptor acceptor(io, endpoint.protocol());
    acceptor.set_option(boost::asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>(true));
    acceptor.bind(endpoint);
    acceptor.listen();
    return acceptor;
  }

  void Serve(const std::string& answer, const std::string& request_end) {
    boost::asio::ip::tcp::socket socket(io_);
    acceptor_.accept(socket);
    boost::asio::streambuf buffer;
    boost::system::error_code error;
    boost::asio::read_until(socket, buffer, request_end, error);
    request_.assign(boost::asio::buffers_begin(buffer.data()), boost::asio::buffers_end(buffer.data()));
    if (!answer.empty()) boost::asio::write(socket, boost::asio::buffer(answer), error);
    if (answer.empty()) boost::asio::read_until(socket, buffer, "never sent", error);
  }

  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  const std::string url_text_;
  const HttpUrl url_;
  std::string request_;
  std::thread thread_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_UNIT_CLIENT_TINY_HTTP_SERVER_H_
