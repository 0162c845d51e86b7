// Cuts one HTTP/1.x request out of a stream of bytes, strictly: whatever two servers could read differently is refused.
#ifndef REFUND_RELAY_SERVER_INGRESS_REQUEST_PARSER_H_
#define REFUND_RELAY_SERVER_INGRESS_REQUEST_PARSER_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "server/ingress/request_head.h"

namespace refund_relay {

// Boost.Beast does the tokens; on top come the checks that it leaves out (contract.md section 3, the smuggling shapes).
// Not thread-safe. Reused for all requests of a connection; keeps its buffers.
class RequestParser {
 public:
  struct Limits {
    size_t head_bytes = 8192;   // request line and fields: 431 beyond
    size_t max_fields = 100;    // 431 beyond
    size_t body_bytes = 65536;  // of a chunked body: 413 beyond. Content-Length is the caller's to check
  };
  enum class Progress {
    kNeedMore,  // every byte that could be used was consumed; come back with the rest and more
    kHeadDone,  // head() is complete, once a request
    kDone,      // body() is complete
    kRefused,   // refusal_status() and refusal_detail() say why; the stream is unusable from here
  };

  explicit RequestParser(const Limits& limits);
  ~RequestParser();

  // Forgets the last request.
  void Reset();

  // Takes a prefix of `bytes`; `consumed` says how many. The next call must start with the first byte not consumed.
  Progress Put(std::string_view bytes, size_t& consumed);

  const RequestHead& head() const { return head_; }
  const std::string& body() const { return body_; }
  // Makes room for a body whose length is known and was checked.
  void ReserveBody(size_t bytes) { body_.reserve(bytes); }
  // Gives an empty body's buffer back if it is larger than `bytes`.
  void ShrinkBody(size_t bytes) {
    if (body_.capacity() > bytes) std::string().swap(body_);
  }
  // The whole request was taken in.
  bool done() const;
  // The sender wants the connection kept (after kHeadDone).
  bool keep_alive() const;

  int refusal_status() const { return refusal_status_; }
  std::string_view refusal_detail() const { return refusal_detail_; }

 private:
  class Tokens;

  Progress PutHead(std::string_view bytes, size_t& consumed);
  Progress PutBody(std::string_view bytes, size_t& consumed);
  Progress Refuse(int status, std::string_view detail);
  // Of an unfinished head that starts at head_bytes_taken_: Beast waits for an empty line before it looks at line ends.
  bool HasBareLineEnd(std::string_view bytes);
  // Empty if the framing is unambiguous, else what is wrong.
  std::string_view CheckFraming() const;

  const Limits limits_;
  RequestHead head_;
  std::string body_;
  std::unique_ptr<Tokens> tokens_;
  size_t head_bytes_taken_ = 0;
  size_t head_bytes_scanned_ = 0;  // by HasBareLineEnd
  char last_scanned_ = 0;
  size_t body_bytes_taken_ = 0;  // on the wire, chunk framing included
  bool head_done_ = false;
  int refusal_status_ = 0;
  std::string refusal_detail_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_REQUEST_PARSER_H_
