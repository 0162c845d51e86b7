// HttpPeer: the other end of an HTTP connection, byte by byte.
#ifndef REFUND_RELAY_TESTS_TESTING_HTTP_PEER_H_
#define REFUND_RELAY_TESTS_TESTING_HTTP_PEER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace refund_relay::testing {

struct HttpReply {
  int status = 0;                             // 0: the connection ended before a whole answer came
  std::map<std::string, std::string> fields;  // names in lower case
  std::string body;

  std::string Field(const std::string& lower_case_name) const {
    const auto found = fields.find(lower_case_name);
    return found == fields.end() ? std::string() : found->second;
  }
  bool closes() const { return Field("connection") == "close"; }
};

// A blocking client socket that sends exactly what it is told and cuts answers out of what comes back. Waits end after
// kPatienceSeconds at the latest. Not thread-safe.
class HttpPeer {
 public:
  static constexpr int kPatienceSeconds = 20;

  // Connects to 127.0.0.1 (or ::1); check connected().
  explicit HttpPeer(uint16_t port, bool ipv6 = false);
  // Likewise, from this loopback address, such as 127.0.0.2.
  HttpPeer(uint16_t port, const char* source);
  ~HttpPeer();
  HttpPeer(HttpPeer&& other) noexcept : fd_(std::exchange(other.fd_, -1)), input_(std::move(other.input_)) {}
  HttpPeer(const HttpPeer&) = delete;
  HttpPeer& operator=(const HttpPeer&) = delete;

  bool connected() const { return fd_ >= 0; }
  // False if the peer no longer takes bytes.
  bool Send(std::string_view bytes) const;
  // Half-closes: nothing more will be sent.
  void FinishSending() const;

  // The next answer; of one to HEAD only the head. Interim ones (100) count as answers of their own.
  HttpReply Read(bool to_head = false);
  HttpReply Exchange(std::string_view request) {
    Send(request);
    return Read();
  }
  // True if the server has ended the connection in order (FIN, not RST) with nothing more sent.
  bool AwaitEnd();
  // True if bytes are there to read now.
  bool HasInput() const;

 private:
  bool Fill();

  int fd_ = -1;
  std::string input_;
};

}  // namespace refund_relay::testing

#endif  // REFUND_RELAY_TESTS_TESTING_HTTP_PEER_H_
