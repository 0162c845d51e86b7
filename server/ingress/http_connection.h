// One HTTP connection: requests one after another, each read under one deadline, answered in order.
#ifndef REFUND_RELAY_SERVER_INGRESS_HTTP_CONNECTION_H_
#define REFUND_RELAY_SERVER_INGRESS_HTTP_CONNECTION_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "server/ingress/http_stream.h"
#include "server/ingress/io_thread.h"
#include "server/ingress/request_handler.h"
#include "server/ingress/request_parser.h"

namespace refund_relay {

// Owned by its IoThread, and by whatever read or write is under way. Everything here happens on that thread.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(IoThread& thread, TcpSocket socket, const PeerAddress& peer);

  void Start();
  // Acts if the phase has taken too long.
  void CheckDeadline(std::chrono::steady_clock::time_point now);
  void CloseIfIdle();
  // The server stops: refuses a request that is not complete, and gives up waiting for the answer to one that is.
  void AnswerUnfinished();
  // Without a word. The connection leaves its thread's list.
  void Close();
  // Gives the answer to request number `request` if that still waits.
  void Deliver(uint64_t request, MakeAnswer make);

  // Its place in the thread's list.
  size_t index() const { return index_; }
  const PeerAddress& peer() const { return peer_; }
  void set_index(size_t index) { index_ = index; }

 private:
  enum class Phase {
    kHandshake,   // of TLS
    kIdle,        // no byte of a request was read
    kReading,     // head or body
    kAwaiting,    // the handler has the request
    kWriting,     // the answer
    kDiscarding,  // answered and half-closed; reads until the peer closes, or a bound is reached
    kClosed,
  };

  void Enter(Phase phase, absl::Duration timeout);
  // Answers `status` as soon as the pending operation of an incomplete request has come back.
  void RefuseIncomplete(int status);
  void Read();
  void FinishHandshake(const boost::system::error_code& ec);
  // What both reads and the interim write end with; true if the connection goes on.
  bool GoesOn(const boost::system::error_code& ec);
  void Advance();
  void BeginRequest();
  // False if the reading waits for something.
  bool AcceptHead();
  void SendContinue();
  void Dispatch();
  void Write(const HttpAnswer& answer);
  void FinishWrite(const boost::system::error_code& ec);
  void Discard();

  IoThread& thread_;
  const PeerAddress peer_;
  const HttpOptions& options_;
  // What its TLS was made from stays until it goes. Null: plain text.
  const std::shared_ptr<const TlsIdentity> tls_;
  HttpStream stream_;
  const std::unique_ptr<RequestExchange> exchange_;
  size_t index_ = 0;

  Phase phase_ = Phase::kIdle;
  std::chrono::steady_clock::time_point deadline_;
  int refused_as_ = 0;    // its pending operation was cancelled, to answer this instead: 408 or 503
  uint64_t request_ = 0;  // counts the requests whose bodies were handled, and the answers given
  std::string request_id_;
  bool close_after_write_ = false;
  size_t discarded_bytes_ = 0;

  RequestParser parser_;
  // Bytes read and not yet consumed: [begin_, end_).
  const size_t buffer_bytes_;
  const std::unique_ptr<char[]> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  std::string out_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_HTTP_CONNECTION_H_
