#include "client/refundctl/http_post.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "boost/asio/error.hpp"
#include "boost/asio/io_context.hpp"
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

constexpr uint64_t kMaxAnswerBytes = 1 << 20;
// Between two attempts to connect to a server that is not there yet.
constexpr absl::Duration kRefusedPause = absl::Milliseconds(100);
// The last attempt may take so long even if the time is over.
constexpr absl::Duration kLeastAttempt = absl::Milliseconds(100);

absl::Status Failure(const HttpUrl& url, std::string_view doing, const boost::system::error_code& error) {
  const std::string text =
      absl::StrCat(std::string(doing), url.tls ? " https://" : " http://", url.authority, ": ", error.message(),
                   "; check that refund-relay "
                   "runs and that --url names its HTTP address");
  if (error == asio::error::connection_refused) return absl::FailedPreconditionError(text);
  return error == beast::error::timeout ? absl::DeadlineExceededError(text) : absl::UnavailableError(text);
}

// Beast's time limits work on asynchronous operations only: starts one and runs it to its end.
template <typename Start>
boost::system::error_code RunToEnd(asio::io_context& io, Start start) {
  boost::system::error_code result;
  start([&result](const boost::system::error_code& error, const auto&...) { result = error; });
  io.restart();
  io.run();
  return result;
}

// One request and its answer, on a stream that is connected.
template <typename Stream>
absl::StatusOr<HttpAnswer> Exchange(asio::io_context& io, Stream& stream, const HttpUrl& url,
                                    const std::vector<std::pair<std::string, std::string>>& headers,
                                    const std::string& body) {
  http::request<http::string_body> request{http::verb::post, url.target, 11};
  request.set(http::field::host, url.authority);
  request.set(http::field::user_agent, "refundctl");
  request.set(http::field::connection, "close");
  for (const auto& [name, value] : headers) request.set(name, value);
  request.body() = body;
  request.prepare_payload();
  const auto write_error = RunToEnd(io, [&](auto done) { http::async_write(stream, request, done); });
  if (write_error == beast::error::timeout) return Failure(url, "sending to", write_error);

  // A server may refuse before it has read everything, which breaks the write: its answer tells more than that.
  boost::system::error_code error;
  beast::flat_buffer buffer;
  std::optional<http::response_parser<http::string_body>> parser;
  do {  // interim answers, such as 100 Continue, are passed over
    parser.emplace();
    parser->body_limit(kMaxAnswerBytes);
    error = RunToEnd(io, [&](auto done) { http::async_read(stream, buffer, *parser, done); });
  } while (!error && parser->get().result_int() < 200);
  if (error) return write_error ? Failure(url, "sending to", write_error) : Failure(url, "reading from", error);
  auto& answer = parser->get();
  return HttpAnswer{static_cast<int>(answer.result_int()), std::string(answer.reason()), std::move(answer.body())};
}

}  // namespace

absl::StatusOr<HttpUrl> ParseHttpUrl(std::string_view text) {
  const std::string copy(text);
  const auto refuse = [&copy](std::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("\"", copy, "\" is no URL that send takes: ", std::string(why),
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
  if (url.authority.find('@') != std::string::npos) return refuse("user and password go into --basic-file");
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

absl::StatusOr<HttpAnswer> HttpPost(const HttpUrl& url, const std::vector<std::pair<std::string, std::string>>& headers,
                                    const std::string& body, absl::Duration timeout, const HttpTls& tls) {
  asio::io_context io;
  boost::system::error_code error;
  const auto endpoints = asio::ip::tcp::resolver(io).resolve(url.host, url.port, error);
  if (error) return Failure(url, "looking up", error);

  beast::tcp_stream stream(io);
  stream.expires_after(absl::ToChronoNanoseconds(timeout));
  error = RunToEnd(io, [&](auto done) { stream.async_connect(endpoints, done); });
  if (error) return Failure(url, "connecting to", error);
  if (!url.tls) return Exchange(io, stream, url, headers, body);

  ssl::context context(ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  if (tls.ca_file.empty()) {
    context.set_default_verify_paths(error);
  } else {
    context.load_verify_file(tls.ca_file, error);
  }
  if (error) {
    return absl::InvalidArgumentError(absl::StrCat("the authorities of --ca_file cannot be used: ", error.message()));
  }
  ssl::stream<beast::tcp_stream&> secured(stream, context);
  const std::string& name = tls.server_name.empty() ? url.host : tls.server_name;
  // A name, not an address, tells the server which certificate is meant.
  asio::ip::make_address(name, error);
  if (error) SSL_set_tlsext_host_name(secured.native_handle(), name.c_str());  // NOLINT: a macro with a C cast
  secured.set_verify_mode(ssl::verify_peer);
  secured.set_verify_callback(ssl::host_name_verification(name));
  error = RunToEnd(io, [&](auto done) { secured.async_handshake(ssl::stream_base::client, done); });
  if (error) return Failure(url, "TLS handshake with", error);
  return Exchange(io, secured, url, headers, body);
}

absl::StatusOr<HttpAnswer> HttpPostOnceItListens(const HttpUrl& url,
                                                 const std::vector<std::pair<std::string, std::string>>& headers,
                                                 const std::string& body, absl::Duration timeout,
                                                 const std::function<void()>& on_refused, const HttpTls& tls) {
  const absl::Time deadline = absl::Now() + timeout;
  for (bool first = true;; first = false) {
    auto answer = HttpPost(url, headers, body, std::max(deadline - absl::Now(), kLeastAttempt), tls);
    if (answer.status().code() != absl::StatusCode::kFailedPrecondition || absl::Now() >= deadline) return answer;
    if (first) on_refused();
    absl::SleepFor(std::min(kRefusedPause, deadline - absl::Now()));
  }
}

}  // namespace refund_relay
