// A small HTTP client: one request, one answer, over plain text or TLS.
#ifndef REFUND_RELAY_SERVER_OPS_HTTP_CLIENT_H_
#define REFUND_RELAY_SERVER_OPS_HTTP_CLIENT_H_

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace refund_relay {

// An `http://host[:port]/path` or `https://` URL in parts.
struct HttpUrl {
  bool tls = false;
  std::string host;  // Without the brackets of an IPv6 address.
  std::string port;
  std::string authority;  // As the Host header carries it.
  std::string target;     // Path and query.
};

// - INVALID_ARGUMENT: not of that form, or with a user in it. Pure.
absl::StatusOr<HttpUrl> ParseHttpUrl(std::string_view text);

// How an https server is known. It must show a certificate that names it.
struct HttpTls {
  std::string ca_file;      // PEM, read for each request; empty: the system's authorities
  std::string server_name;  // what the certificate must name; empty: the URL's host
};

// Follows no redirection, keeps no connection, sends nothing twice. `Send` is for one thread at a time, `Cancel` for
// any.
class HttpClient {
 public:
  struct Request {
    std::string method;  // such as POST
    HttpUrl url;
    std::vector<std::pair<std::string, std::string>> headers;  // beside Host, Connection and Content-Length
    std::string body;
    HttpTls tls;
    absl::Duration timeout = absl::Seconds(30);  // for all of it, name look-up aside
    size_t most_answer_bytes = 1 << 20;          // of the answer's body
  };
  struct Answer {
    int status = 0;
    std::string reason;
    std::string body;
  };

  // Blocks. INVALID_ARGUMENT: `tls.ca_file` cannot be used. FAILED_PRECONDITION: nothing listens there, so nothing was
  // sent. DEADLINE_EXCEEDED: no whole answer in time. CANCELLED: see below. UNAVAILABLE: no connection for another
  // reason, a certificate that is not good, no HTTP, an answer that is too large, or the connection broke.
  absl::StatusOr<Answer> Send(const Request& request);

  // Breaks off the request under way, name look-up aside, and every later one.
  void Cancel();

 private:
  // Starts one asynchronous operation and runs it to its end.
  template <typename Start>
  boost::system::error_code RunToEnd(Start start);
  // One request and its answer, on a stream that is connected.
  template <typename Stream>
  absl::StatusOr<Answer> Exchange(Stream& stream, const Request& request);
  absl::Status Failure(const HttpUrl& url, std::string_view doing, const boost::system::error_code& error) const;

  boost::asio::io_context io_;
  std::atomic<bool> cancelled_ = false;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_HTTP_CLIENT_H_
