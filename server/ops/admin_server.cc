#include "server/ops/admin_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/ops/admin_connection.h"
#include "server/ops/log_limiter.h"
#include "server/ops/logging.h"

namespace refund_relay {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// After a failed accept (no descriptors left), so that the thread does not spin.
constexpr std::chrono::milliseconds kAcceptPause(100);

}  // namespace

// Everything but the constructor, `Listen` and `Stop` runs on `thread_`.
class AdminServer::Impl {
 public:
  Impl(AdminHandlers handlers, AdminServerOptions options) : handlers_(std::move(handlers)), options_(options) {}

  absl::Status Listen(const ListenAddress& address) {
    try {
      const tcp::endpoint endpoint(asio::ip::make_address(address.host), address.port);
      acceptor_.open(endpoint.protocol());
      acceptor_.set_option(tcp::acceptor::reuse_address(true));
      acceptor_.bind(endpoint);
      acceptor_.listen();
      address_ = {address.host, acceptor_.local_endpoint().port()};
    } catch (const boost::system::system_error& error) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen on ", address.ToString(), " (--admin_address): ", error.code().message()));
    }
    return absl::OkStatus();
  }

  void Run() {
    Accept();
    thread_ = std::thread([this] { context_.run(); });
  }

  void Stop() {
    asio::post(context_, [this] {
      stopping_ = true;
      boost::system::error_code ignored;
      acceptor_.close(ignored);  // NOLINT(bugprone-unused-return-value)
      pause_.cancel();
      for (const auto& [number, connection] : connections_) CloseNow(connection);
    });
    thread_.join();  // ends once nothing is under way any more
  }

  const ListenAddress& address() const { return address_; }

 private:
  void Accept() {
    acceptor_.async_accept([this](boost::system::error_code error, tcp::socket socket) {
      if (stopping_) return;
      if (!error) {
        Serve(std::move(socket));
        Accept();
        return;
      }
      if (const auto left_out = failure_lines_.Admit(absl::Now()); left_out.has_value()) {
        Log(LogLevel::kWarning, "the admin port cannot accept a connection",
            {{"reason", error.message()}, {"lines_left_out", *left_out}});
      }
      pause_.expires_after(kAcceptPause);
      pause_.async_wait([this](boost::system::error_code cancelled) {
        if (!cancelled) Accept();
      });
    });
  }

  void Serve(tcp::socket socket) {
    if (connections_.size() >= options_.max_connections) {
      CloseNow(connections_.begin()->second);
      connections_.erase(connections_.begin());
    }
    const uint64_t number = ++accepted_;
    const auto connection = std::make_shared<AdminConnection>(
        std::move(socket), options_.tls == nullptr ? nullptr : options_.tls->Snapshot(), handlers_,
        [this, number] { connections_.erase(number); });
    connections_.emplace(number, connection);
    connection->Start(options_.connection_deadline);
  }

  static void CloseNow(const std::weak_ptr<AdminConnection>& weak) {
    if (const auto connection = weak.lock()) connection->Close();
  }

  const AdminHandlers handlers_;
  const AdminServerOptions options_;
  // By order of arrival. Above the context, whose pending handlers refer to it.
  std::map<uint64_t, std::weak_ptr<AdminConnection>> connections_;
  uint64_t accepted_ = 0;
  bool stopping_ = false;
  LogLimiter failure_lines_{1, absl::Seconds(10)};
  asio::io_context context_{1};
  tcp::acceptor acceptor_{context_};
  asio::steady_timer pause_{context_};
  ListenAddress address_;  // constant after Listen
  std::thread thread_;
};

AdminServer::AdminServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

AdminServer::~AdminServer() { impl_->Stop(); }

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(const ListenAddress& address, AdminHandlers handlers,
                                                                AdminServerOptions options) {
  auto impl = std::make_unique<Impl>(std::move(handlers), options);
  if (auto status = impl->Listen(address); !status.ok()) return status;
  impl->Run();
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(impl)));
}

const ListenAddress& AdminServer::address() const { return impl_->address(); }

}  // namespace refund_relay
