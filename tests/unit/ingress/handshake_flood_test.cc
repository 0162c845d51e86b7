// A flood of TLS handshakes: connections that are past theirs go first.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "server/ingress/http_server.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/test_authority.h"
#include "tests/testing/test_tls_store.h"

namespace refund_relay {
namespace {

constexpr int kFlood = 40;
constexpr int kPatienceSeconds = 60;

// A blocking socket to the server.
class Socket {
 public:
  explicit Socket(uint16_t port) : number_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{kPatienceSeconds, 0};
    setsockopt(number_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(number_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  }
  ~Socket() { close(number_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int number() const { return number_; }
  bool HasInput() const {
    char byte = 0;
    return recv(number_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
  }

 private:
  const int number_;
};

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct FreeSession {
  void operator()(SSL* session) const { SSL_free(session); }
};
using Context = std::unique_ptr<SSL_CTX, FreeContext>;
using Session = std::unique_ptr<SSL, FreeSession>;

// A TLS connection that is past its handshake.
class TlsPeer {
 public:
  TlsPeer(SSL_CTX* context, uint16_t port) : socket_(port), session_(SSL_new(context)) {
    SSL_set_fd(session_.get(), socket_.number());
    EXPECT_EQ(SSL_connect(session_.get()), 1);
  }

  void SendRequest() const {
    const std::string request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";
    EXPECT_EQ(SSL_write(session_.get(), request.data(), static_cast<int>(request.size())),
              static_cast<int>(request.size()));
  }
  void ReadAnswer() const {
    char bytes[4096];
    EXPECT_GT(SSL_read(session_.get(), bytes, sizeof(bytes)), 0);
  }

 private:
  const Socket socket_;
  const Session session_;
};

std::string ClientHello(SSL_CTX* context) {
  const Session session(SSL_new(context));
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(session.get(), BIO_new(BIO_s_mem()), out);
  SSL_connect(session.get());  // stops where it would read
  char* bytes = nullptr;
  const auto size = BIO_get_mem_data(out, &bytes);  // NOLINT: a macro with a C cast
  return {bytes, static_cast<size_t>(size)};
}

// Answers 200; calls `on_request` for each request, on the I/O thread.
class Handler final : public RequestHandler {
 public:
  explicit Handler(std::function<void()> on_request) : on_request_(std::move(on_request)) {}

  std::unique_ptr<RequestExchange> NewExchange() override { return std::make_unique<Exchange>(*this); }
  void CountConnection(int change) override { connections_ += change; }
  void CountRefusedConnection(PeerQuota::Verdict) override {}
  void CountHandshake(bool) override {}
  int connections() const { return connections_; }

 private:
  class Exchange final : public RequestExchange {
   public:
    explicit Exchange(Handler& handler) : handler_(handler) {}
    void Begin(std::string_view, std::chrono::steady_clock::time_point) override {}
    std::optional<HttpAnswer> CheckHead(const RequestHead&) override { return std::nullopt; }
    std::optional<HttpAnswer> HandleBody(std::string_view, AnswerTicket) override {
      handler_.on_request_();
      return TimeOut();
    }
    HttpAnswer TimeOut() override {
      HttpAnswer answer;
      answer.status = 200;
      return answer;
    }
    HttpAnswer Refuse(int, std::string_view) override { return TimeOut(); }

   private:
    Handler& handler_;
  };

  const std::function<void()> on_request_;
  std::atomic<int> connections_ = 0;
};

TEST(HandshakeFloodTest, ARequestOnAnOpenConnectionDoesNotWaitForTheHandshakesOfOthers) {
  const TempDir folder;
  TestAuthority authority;
  const auto tls = LoadedTlsStore(folder, authority.Issue("server", "IP:127.0.0.1"), "");
  HttpOptions options;
  options.threads = 1;
  options.tls = tls.get();
  options.request_timeout = absl::Seconds(kPatienceSeconds);
  std::vector<std::unique_ptr<Socket>> flood;
  absl::Notification stands_still;
  absl::Notification go_on;
  absl::Notification handled;
  std::ptrdiff_t shaken_before = -1;
  int requests = 0;
  Handler handler([&] {
    ++requests;
    if (requests == 2) {
      stands_still.Notify();
      go_on.WaitForNotification();
    } else if (requests == 3) {
      shaken_before = std::count_if(flood.begin(), flood.end(), [](const auto& peer) { return peer->HasInput(); });
      handled.Notify();
    }
  });
  HttpServer server(options, handler);
  ASSERT_TRUE(server.Start({"127.0.0.1", 0}).ok());

  const Context context(SSL_CTX_new(TLS_client_method()));
  const TlsPeer blocker(context.get(), server.port());
  const TlsPeer sender(context.get(), server.port());
  sender.SendRequest();
  sender.ReadAnswer();
  for (int i = 0; i < kFlood; ++i) flood.push_back(std::make_unique<Socket>(server.port()));
  const absl::Time give_up = absl::Now() + absl::Seconds(kPatienceSeconds);
  while (handler.connections() < kFlood + 2 && absl::Now() < give_up) std::this_thread::yield();
  ASSERT_EQ(handler.connections(), kFlood + 2);

  // The server's one thread stands still until everything has arrived, the request of the sender last.
  blocker.SendRequest();
  stands_still.WaitForNotification();
  const std::string hello = ClientHello(context.get());
  for (const auto& peer : flood) {
    EXPECT_EQ(send(peer->number(), hello.data(), hello.size(), MSG_NOSIGNAL), static_cast<ssize_t>(hello.size()));
  }
  sender.SendRequest();
  go_on.Notify();
  ASSERT_TRUE(handled.WaitForNotificationWithTimeout(absl::Seconds(kPatienceSeconds)));
  EXPECT_LT(shaken_before, 5) << "of " << kFlood;
  // They are not forgotten either.
  for (const auto& peer : flood) {
    char byte = 0;
    EXPECT_EQ(recv(peer->number(), &byte, 1, MSG_PEEK), 1);
  }
  server.Stop(absl::Now());
}

}  // namespace
}  // namespace refund_relay
