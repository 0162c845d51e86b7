#include "server/ops/http_client.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "boost/asio/error.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/ssl/context.hpp"
#include "boost/asio/ssl/host_name_verification.hpp"
#include "boost/asio/ssl/stream.hpp"
#include "boost/beast/core/flat_buffer.hpp"
#include "boost/beast/core/tcp_stream.hpp"
#include "boost/beast/http.hpp"

namespace refund_relay {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;

}  // namespace

absl::StatusOr<HttpUrl> ParseHttpUrl(std::string_view text) {
  const std::string copy(text);
  const auto refuse = [&copy](std::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("\"", copy, "\" is no URL: ", std::string(why),
                                                   "; write http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH"));
  };
  const bool tls = absl::StartsWithIgnoreCase(copy, "https://");
  const std::string_view scheme = tls ? "https://" : "http://";
  if (!tls && !absl::StartsWithIgnoreCase(copy, "http://"))
    return refuse("it starts with neither http:// nor https://");
  if (std::any_of(copy.begin(), copy.end(),
                  [](char c) { return !absl::ascii_isgraph(static_cast<unsigned char>(c)); })) {
    return refuse("it holds a character that must be written as %XX");
  }
  std::string rest = copy.substr(scheme.size());
  rest = rest.substr(0, rest.find('#'));
  HttpUrl url;
  url.tls = tls;
  const size_t path = rest.find_first_of("/?");
  url.authority = rest.substr(0, path);
  url.target = path == std::string::npos ? "/" : rest.substr(path);
  if (url.target[0] == '?') url.target.insert(0, "/");
  if (url.authority.find('@') != std::string::npos)
    return refuse("it holds a user; credentials go into a file of their own");
  std::string port_part;
  if (url.authority[0] == '[') {
    const size_t end = url.authority.find(']');
    if (end == std::string::npos) return refuse("the bracket of the address is not closed");
    url.host = url.authority.substr(1, end - 1);
    port_part = url.authority.substr(end + 1);
  } else {
    const size_t colon = url.authority.find(':');
    url.host = url.authority.substr(0, colon);
    if (colon != std::string::npos) port_part = url.authority.substr(colon);
  }
  if (url.host.empty()) return refuse("the host is empty");
  url.port = tls ? "443" : "80";
  if (!port_part.empty()) {
    uint32_t port = 0;
    if (port_part[0] != ':' || !absl::SimpleAtoi(port_part.substr(1), &port) || port == 0 || port > 65535) {
      return refuse("the port is not a number from 1 to 65535");
    }
    url.port = absl::StrCat(port);
  }
  return url;
}

absl::Status HttpClient::Failure(const HttpUrl& url, std::string_view doing,
                                 const boost::system::error_code& error) const {
  const std::string text =
      absl::StrCat(std::string(doing), url.tls ? " https://" : " http://", url.authority, ": ", error.message());
  if (cancelled_) return absl::CancelledError(text);
  if (error == asio::error::connection_refused) return absl::FailedPreconditionError(text);
  return error == beast::error::timeout ? absl::DeadlineExceededError(text) : absl::UnavailableError(text);
}

// Beast's time limits work on asynchronous operations only.
template <typename Start>
boost::system::error_code HttpClient::RunToEnd(Start start) {
  boost::system::error_code result = asio::error::operation_aborted;
  io_.restart();
  // Cancel sets the flag before it stops the context: either we see the flag here, or the run ends.
  if (cancelled_) return result;
  start([&result](const boost::system::error_code& error, const auto&...) { result = error; });
  io_.run();
  return result;
}

void HttpClient::Cancel() {
  cancelled_ = true;
  io_.stop();
}

template <typename Stream>
absl::StatusOr<HttpClient::Answer> HttpClient::Exchange(Stream& stream, const Request& asked) {
  http::request<http::string_body> request;
  request.method_string(asked.method);
  request.target(asked.url.target);
  request.version(11);
  request.set(http::field::host, asked.url.authority);
  request.set(http::field::connection, "close");
  for (const auto& [name, value] : asked.headers) request.set(name, value);
  request.body() = asked.body;
  request.prepare_payload();
  const auto write_error = RunToEnd([&](auto done) { http::async_write(stream, request, done); });
  if (write_error == beast::error::timeout) return Failure(asked.url, "sending to", write_error);

  // A server may refuse before it has read everything, which breaks the write: its answer tells more than that.
  boost::system::error_code error;
  beast::flat_buffer buffer;
  std::optional<http::response_parser<http::string_body>> parser;
  do {  // interim answers, such as 100 Continue, are passed over
    parser.emplace();
    parser->body_limit(asked.most_answer_bytes);
    error = RunToEnd([&](auto done) { http::async_read(stream, buffer, *parser, done); });
  } while (!error && parser->get().result_int() < 200);
  if (error) {
    return write_error ? Failure(asked.url, "sending to", write_error) : Failure(asked.url, "reading from", error);
  }
  auto& answer = parser->get();
  return Answer{static_cast<int>(answer.result_int()), std::string(answer.reason()), std::move(answer.body())};
}

absl::StatusOr<HttpClient::Answer> HttpClient::Send(const Request& request) {
  const HttpUrl& url = request.url;
  boost::system::error_code error;
  const auto endpoints = asio::ip::tcp::resolver(io_).resolve(url.host, url.port, error);
  if (error) return Failure(url, "looking up", error);

  beast::tcp_stream stream(io_);
  stream.expires_after(absl::ToChronoNanoseconds(request.timeout));
  error = RunToEnd([&](auto done) { stream.async_connect(endpoints, done); });
  if (error) return Failure(url, "connecting to", error);
  if (!url.tls) return Exchange(stream, request);

  ssl::context context(ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  if (request.tls.ca_file.empty()) {
    context.set_default_verify_paths(error);
  } else {
    context.load_verify_file(request.tls.ca_file, error);
  }
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("the authorities in ", request.tls.ca_file, " cannot be used: ", error.message()));
  }
  ssl::stream<beast::tcp_stream&> secured(stream, context);
  const std::string& name = request.tls.server_name.empty() ? url.host : request.tls.server_name;
  // A name, not an address, tells the server which certificate is meant.
  asio::ip::make_address(name, error);
  if (error) SSL_set_tlsext_host_name(secured.native_handle(), name.c_str());  // NOLINT: a macro with a C cast
  secured.set_verify_mode(ssl::verify_peer);
  secured.set_verify_callback(ssl::host_name_verification(name));
  error = RunToEnd([&](auto done) { secured.async_handshake(ssl::stream_base::client, done); });
  if (error) return Failure(url, "TLS handshake with", error);
  return Exchange(secured, request);
}

}  // namespace refund_relay
