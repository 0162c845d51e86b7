// HttpAnswers: cuts HTTP answers out of the bytes of one connection.
#ifndef REFUND_RELAY_TESTS_BENCH_HTTP_ANSWERS_H_
#define REFUND_RELAY_TESTS_BENCH_HTTP_ANSWERS_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace refund_relay::bench {

struct HttpAnswer {
  std::string_view head;  // with its status line
  std::string_view body;

  bool ok() const { return head.substr(0, 12) == "HTTP/1.1 200"; }
  bool accepted() const { return ok() && body.find("\"status\":\"accepted\"") != std::string_view::npos; }
};

// For connections with one request in flight, and answers with a Content-Length. Not thread-safe.
class HttpAnswers {
 public:
  enum class Outcome { kAnswer, kMore, kBroken };

  // Reads what is there once. kBroken: the connection ended, or this is not HTTP as expected.
  Outcome ReadFrom(int fd);
  // After kAnswer; valid until the next ReadFrom.
  const HttpAnswer& answer() const { return answer_; }

 private:
  std::string input_;
  HttpAnswer answer_;
  bool taken_ = true;  // input_ holds an answer that was handed out
};

// A TCP connection to an address such as 127.0.0.1:8080, with Nagle's algorithm off; -1 and errno on failure.
int ConnectTo(const std::string& address);

}  // namespace refund_relay::bench

#endif  // REFUND_RELAY_TESTS_BENCH_HTTP_ANSWERS_H_
