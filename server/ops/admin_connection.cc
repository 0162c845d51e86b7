#include "server/ops/admin_connection.h"

#include <array>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <string_view>
#include <utility>

#include "server/ops/json_string.h"
#include "server/ops/metrics.h"

namespace refund_relay {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr char kJson[] = "application/json";
// A peer that sends more after its request gets a reset.
constexpr size_t kMaxDiscardedBytes = 64 << 10;

}  // namespace

AdminConnection::AdminConnection(asio::ip::tcp::socket socket, std::shared_ptr<const TlsIdentity> tls,
                                 const AdminHandlers& handlers, std::function<void()> closed)
    : handlers_(handlers),
      closed_(std::move(closed)),
      tls_(std::move(tls)),
      stream_(std::move(socket)),
      buffer_(AdminServer::kMaxHeaderBytes) {
  if (tls_ != nullptr) secured_ = std::make_unique<asio::ssl::stream<beast::tcp_stream&>>(stream_, *tls_->context);
  request_.header_limit(AdminServer::kMaxHeaderBytes);
}

void AdminConnection::Start(absl::Duration deadline) {
  stream_.expires_after(absl::ToChronoMilliseconds(deadline));
  if (secured_ == nullptr) return ReadHeader();
  secured_->async_handshake(asio::ssl::stream_base::server, [self = shared_from_this()](beast::error_code error) {
    if (!error) self->ReadHeader();
  });
}

void AdminConnection::ReadHeader() {
  OnStream([this](auto& stream) {
    http::async_read_header(stream, buffer_, request_,
                            [self = shared_from_this()](beast::error_code error, size_t) { self->OnHeader(error); });
  });
}

void AdminConnection::Close() { stream_.close(); }

void AdminConnection::OnHeader(beast::error_code error) {
  if (!error) {
    Route();
  } else if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    AnswerError(Status::request_header_fields_too_large, "the request header is too large");
  } else if (error.category() == http::make_error_code(http::error::bad_method).category() &&
             error != http::error::end_of_stream && error != http::error::partial_message) {
    AnswerError(Status::bad_request, "this is no HTTP/1.1 request");
  }
  // Else the peer went away or was too slow: nobody is left to be told.
}

void AdminConnection::Route() {
  const std::string_view target(request_.get().target().data(), request_.get().target().size());
  const size_t question = target.find('?');
  const std::string_view path = target.substr(0, question);
  const std::string_view query = question == std::string_view::npos ? "" : target.substr(question + 1);
  if (path != "/livez" && path != "/readyz" && path != "/metrics") {
    AnswerError(Status::not_found, "there is nothing here; ask for /livez, /readyz or /metrics");
  } else if (request_.get().method() != http::verb::get && request_.get().method() != http::verb::head) {
    response_.set(http::field::allow, "GET, HEAD");
    AnswerError(Status::method_not_allowed, "only GET and HEAD are answered here");
  } else if (path == "/livez") {
    AskLiveness();
  } else if (path == "/readyz") {
    auto report = CheckReadiness(handlers_.readiness, query);
    Answer(report.ready ? Status::ok : Status::service_unavailable, kJson, std::move(report.json));
  } else {
    Answer(Status::ok, kMetricsContentType, handlers_.metrics());
  }
}

void AdminConnection::AskLiveness() {
  // The guard keeps the server's thread running until the answer has come, so that there is always one to take it.
  // The connection goes to that thread as a whole: another one must not be the last to let go of it.
  handlers_.liveness([self = shared_from_this(),
                      guard = asio::make_work_guard(stream_.get_executor())](const absl::Status& status) mutable {
    asio::post(guard.get_executor(), [self = std::move(self), status] {
      if (status.ok()) {
        self->Answer(Status::ok, kJson, "{\"live\":true}");
        return;
      }
      std::string body = "{\"live\":false,\"reason\":";
      AppendJsonString(body, std::string_view(status.message().data(), status.message().size()));
      self->Answer(Status::service_unavailable, kJson, body + "}");
    });
  });
}

void AdminConnection::AnswerError(Status status, std::string_view reason) {
  std::string body = "{\"error\":";
  AppendJsonString(body, reason);
  Answer(status, kJson, body + "}");
}

void AdminConnection::Answer(Status status, const char* content_type, std::string body) {
  response_.result(status);
  response_.version(11);
  response_.set(http::field::content_type, content_type);
  response_.set(http::field::cache_control, "no-store");
  response_.keep_alive(false);
  response_.content_length(body.size());
  if (request_.get().method() != http::verb::head) response_.body() = std::move(body);
  OnStream([this](auto& stream) {
    http::async_write(stream, response_, [self = shared_from_this()](beast::error_code error, size_t) {
      if (error) return;
      if (self->secured_ == nullptr) return self->HalfClose();
      // Sends close_notify and waits for the peer's; an error means that it is gone, or sends on.
      self->secured_->async_shutdown([self](beast::error_code) { self->HalfClose(); });
    });
  });
}

void AdminConnection::HalfClose() {
  beast::error_code error;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
  if (!error) Discard(0);
}

void AdminConnection::Discard(size_t bytes_so_far) {
  if (bytes_so_far > kMaxDiscardedBytes) return;
  buffer_.clear();
  stream_.async_read_some(buffer_.prepare(AdminServer::kMaxHeaderBytes),
                          [self = shared_from_this(), bytes_so_far](beast::error_code error, size_t bytes) {
                            if (!error) self->Discard(bytes_so_far + bytes);
                          });
}

}  // namespace refund_relay
