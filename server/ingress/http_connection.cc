#include "server/ingress/http_connection.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <utility>

namespace refund_relay {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// The buffer is a little larger than the largest head, so that a full one always means that the head is too large.
constexpr size_t kSpareBufferBytes = 1024;
// A body buffer that has grown beyond this is given back when the connection falls idle.
constexpr size_t kKeptBodyBytes = 16384;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

HttpConnection::HttpConnection(IoThread& thread, TcpSocket socket, const PeerAddress& peer)
    : thread_(thread),
      peer_(peer),
      options_(thread.shared().options),
      tls_(options_.tls == nullptr ? nullptr : options_.tls->Snapshot()),
      stream_(std::move(socket), tls_ == nullptr ? nullptr : tls_->context.get()),
      exchange_(thread.shared().handler.NewExchange()),
      parser_(options_.limits),
      buffer_bytes_(options_.limits.head_bytes + kSpareBufferBytes),
      buffer_(new char[buffer_bytes_]) {}

void HttpConnection::Start() {
  if (!stream_.needs_handshake()) {
    Enter(Phase::kIdle, options_.request_timeout);
    return Read();
  }
  Enter(Phase::kHandshake, options_.request_timeout);
  stream_.Handshake([this](HandshakeQueue::Step step) { thread_.QueueHandshakeStep(peer_, std::move(step)); },
                    [self = shared_from_this()](const error_code& ec) { self->FinishHandshake(ec); });
}

void HttpConnection::FinishHandshake(const error_code& ec) {
  if (phase_ == Phase::kClosed) return;
  if (ec) return Close();
  thread_.shared().handler.CountHandshake(true);
  // The deadline stays: from accept to the first byte of a request.
  phase_ = Phase::kIdle;
  if (thread_.shared().draining.load(std::memory_order_relaxed)) return Close();
  Read();
}

void HttpConnection::Enter(Phase phase, absl::Duration timeout) {
  phase_ = phase;
  deadline_ = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(timeout);
}

void HttpConnection::CheckDeadline(std::chrono::steady_clock::time_point now) {
  if (now < deadline_) return;
  switch (phase_) {
    case Phase::kReading:
      RefuseIncomplete(408);
      return;
    case Phase::kAwaiting:
      Write(exchange_->TimeOut());
      return;
    case Phase::kHandshake:
    case Phase::kIdle:
    case Phase::kWriting:
    case Phase::kDiscarding:
    case Phase::kClosed:
      Close();
      return;
  }
}

void HttpConnection::RefuseIncomplete(int status) {
  if (refused_as_ != 0) return;
  refused_as_ = status;
  stream_.CancelPending();
}

void HttpConnection::AnswerUnfinished() {
  if (phase_ == Phase::kReading) RefuseIncomplete(503);
  if (phase_ == Phase::kAwaiting) Write(exchange_->TimeOut());
}

void HttpConnection::CloseIfIdle() {
  if (phase_ == Phase::kIdle || phase_ == Phase::kHandshake) Close();
}

void HttpConnection::Close() {
  if (phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kHandshake) thread_.shared().handler.CountHandshake(false);
  phase_ = Phase::kClosed;
  stream_.Close();
  thread_.Remove(*this);
}

void HttpConnection::Read() {
  if (begin_ > 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  stream_.async_read_some(asio::buffer(buffer_.get() + end_, buffer_bytes_ - end_),
                          [self = shared_from_this()](const error_code& ec, size_t bytes) {
                            if (!self->GoesOn(ec)) return;
                            self->end_ += bytes;
                            self->Advance();
                          });
}

bool HttpConnection::GoesOn(const error_code& ec) {
  if (phase_ == Phase::kClosed) return false;
  if (refused_as_ != 0) {
    Write(exchange_->Refuse(refused_as_, refused_as_ == 408 ? "the request was not complete in time"
                                                            : "the server is shutting down; send the webhook again"));
    return false;
  }
  if (ec) {
    Close();
    return false;
  }
  return true;
}

void HttpConnection::Advance() {
  while (true) {
    if (phase_ == Phase::kIdle) {
      if (begin_ == end_) return Read();
      BeginRequest();
    }
    size_t consumed = 0;
    const RequestParser::Progress progress =
        parser_.Put(std::string_view(buffer_.get() + begin_, end_ - begin_), consumed);
    begin_ += consumed;
    switch (progress) {
      case RequestParser::Progress::kNeedMore:
        if (end_ - begin_ == buffer_bytes_) {
          return Write(exchange_->Refuse(400, "a line between the chunks is too long"));
        }
        return Read();
      case RequestParser::Progress::kHeadDone:
        if (!AcceptHead()) return;
        continue;
      case RequestParser::Progress::kDone:
        return Dispatch();
      case RequestParser::Progress::kRefused:
        return Write(exchange_->Refuse(parser_.refusal_status(), parser_.refusal_detail()));
    }
  }
}

void HttpConnection::BeginRequest() {
  const auto now = std::chrono::steady_clock::now();
  phase_ = Phase::kReading;
  deadline_ = now + absl::ToChronoNanoseconds(options_.request_timeout);
  request_id_ = thread_.NewRequestId();
  exchange_->Begin(request_id_, now);
}

bool HttpConnection::AcceptHead() {
  if (std::optional<HttpAnswer> refusal = exchange_->CheckHead(parser_.head())) {
    refusal->close = true;  // its body was not read
    Write(*refusal);
    return false;
  }
  if (const auto length = parser_.head().content_length) {
    parser_.ReserveBody(std::min<uint64_t>(*length, options_.limits.body_bytes));
  }
  // A sender that did not wait needs no leave.
  if (parser_.done() || begin_ != end_ || !parser_.head().ExpectsContinue()) return true;
  SendContinue();
  return false;
}

void HttpConnection::SendContinue() {
  asio::async_write(stream_, asio::buffer(kContinue.data(), kContinue.size()),
                    [self = shared_from_this()](const error_code& ec, size_t) {
                      if (self->GoesOn(ec)) self->Read();
                    });
}

void HttpConnection::Dispatch() {
  Enter(Phase::kAwaiting, options_.answer_timeout);
  std::optional<HttpAnswer> answer =
      exchange_->HandleBody(parser_.body(), AnswerTicket(thread_.mailbox(), weak_from_this(), ++request_));
  if (answer.has_value()) Write(*answer);
}

void HttpConnection::Deliver(uint64_t request, MakeAnswer make) {
  if (phase_ == Phase::kAwaiting && request == request_) Write(std::move(make)());
}

void HttpConnection::Write(const HttpAnswer& answer) {
  ++request_;  // a ticket that is still out is void
  const bool draining = thread_.shared().draining.load(std::memory_order_relaxed);
  close_after_write_ = answer.close || draining || refused_as_ != 0 || !parser_.done() || !parser_.keep_alive();
  AnswerFraming framing;
  framing.date = thread_.Date();
  framing.request_id = request_id_;
  framing.is_http11 = parser_.head().is_http11;
  framing.keep_alive = !close_after_write_;
  framing.omit_body = parser_.head().method() == "HEAD";
  out_.clear();
  AppendHttpAnswer(answer, framing, out_);
  Enter(Phase::kWriting, options_.write_timeout);
  asio::async_write(stream_, asio::buffer(out_),
                    [self = shared_from_this()](const error_code& ec, size_t) { self->FinishWrite(ec); });
}

void HttpConnection::FinishWrite(const error_code& ec) {
  if (phase_ == Phase::kClosed) return;
  if (ec) return Close();
  if (close_after_write_) {
    // Closing with unread bytes would reset the connection, and the peer might lose the answer.
    Enter(Phase::kDiscarding, options_.discard_timeout);
    begin_ = end_ = 0;
    return stream_.ShutdownSend([self = shared_from_this()] {
      if (self->phase_ != Phase::kClosed) self->Discard();
    });
  }
  parser_.Reset();
  parser_.ShrinkBody(kKeptBodyBytes);
  Enter(Phase::kIdle, options_.idle_timeout);
  if (begin_ == end_ && thread_.shared().draining.load(std::memory_order_relaxed)) return Close();
  Advance();
}

void HttpConnection::Discard() {
  stream_.ReadRaw(asio::buffer(buffer_.get(), buffer_bytes_),
                  [self = shared_from_this()](const error_code& ec, size_t bytes) {
                    if (self->phase_ == Phase::kClosed) return;
                    self->discarded_bytes_ += bytes;
                    if (ec || self->discarded_bytes_ > self->options_.max_discard_bytes) return self->Close();
                    self->Discard();
                  });
}

}  // namespace refund_relay
