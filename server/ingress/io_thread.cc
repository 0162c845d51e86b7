#include "server/ingress/io_thread.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "server/ingress/http_connection.h"

namespace refund_relay {

namespace asio = boost::asio;

namespace {

uint64_t RandomSeed() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

}  // namespace

IoThread::IoThread(HttpShared& shared)
    : shared_(shared),
      context_(std::make_shared<asio::io_context>(1)),
      work_(context_->get_executor()),
      mailbox_(std::make_shared<AnswerMailbox>(
          // The handler runs only on this thread, hence only while `this` lives; the context may outlive it.
          [context = context_, this] { asio::post(*context, [this] { DeliverLetters(); }); })),
      sweep_timer_(*context_),
      random_(RandomSeed()) {}

IoThread::~IoThread() = default;

void IoThread::Start() {
  thread_ = std::thread([this] { context_->run(); });
}

void IoThread::Adopt(TcpSocket socket, const PeerAddress& peer) {
  asio::post(*context_, [this, socket = std::move(socket), peer]() mutable {
    if (cut_) {
      shared_.connections.GiveBack(peer);
      return;
    }
    auto connection = std::make_shared<HttpConnection>(*this, std::move(socket), peer);
    connection->set_index(connections_.size());
    connections_.push_back(connection);
    shared_.handler.CountConnection(+1);
    if (!sweeping_) ArmSweep();
    connection->Start();
  });
}

void IoThread::CloseIdle() {
  asio::post(*context_, [this] {
    // Backwards: a connection that goes is replaced by the last one, which was visited.
    for (size_t i = connections_.size(); i-- > 0;) {
      const std::shared_ptr<HttpConnection> connection = connections_[i];
      connection->CloseIfIdle();
    }
  });
}

void IoThread::AnswerUnfinished() {
  asio::post(*context_, [this] {
    for (size_t i = connections_.size(); i-- > 0;) {
      const std::shared_ptr<HttpConnection> connection = connections_[i];
      connection->AnswerUnfinished();
    }
  });
}

void IoThread::Cut() {
  asio::post(*context_, [this] {
    cut_ = true;
    mailbox_->Close();
    sweep_timer_.cancel();
    handshakes_.Clear();
    while (!connections_.empty()) {
      const std::shared_ptr<HttpConnection> connection = connections_.back();
      connection->Close();
    }
    work_.reset();
  });
}

void IoThread::Join() {
  if (thread_.joinable()) thread_.join();
}

void IoThread::Remove(HttpConnection& connection) {
  const size_t index = connection.index();
  connections_.back()->set_index(index);
  std::swap(connections_[index], connections_.back());
  connections_.pop_back();
  shared_.handler.CountConnection(-1);
  shared_.connections.GiveBack(connection.peer());
}

void IoThread::QueueHandshakeStep(const PeerAddress& peer, HandshakeQueue::Step step) {
  if (cut_) return;
  handshakes_.Add(peer, std::move(step));
  if (std::exchange(handshake_posted_, true)) return;
  asio::post(*context_, [this] { RunHandshakeStep(); });
}

void IoThread::RunHandshakeStep() {
  HandshakeQueue::Step step = handshakes_.Next();
  if (step == nullptr) {
    handshake_posted_ = false;
    return;
  }
  // The read finds its bytes there and completes, with the expensive part, behind all that is ready now; the next step
  // comes behind that and behind another look at the sockets.
  step();
  asio::post(*context_, [this] { RunHandshakeStep(); });
}

std::string IoThread::NewRequestId() { return absl::StrFormat("%016x", random_()); }

std::string_view IoThread::Date() {
  const auto now = std::chrono::system_clock::now();
  if (now >= date_until_ || now < date_until_ - std::chrono::seconds(1)) {
    const auto second = std::chrono::floor<std::chrono::seconds>(now);
    date_until_ = second + std::chrono::seconds(1);
    date_ = absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", absl::FromChrono(second), absl::UTCTimeZone());
  }
  return date_;
}

void IoThread::ArmSweep() {
  sweeping_ = true;
  sweep_timer_.expires_after(absl::ToChronoNanoseconds(shared_.options.sweep_interval));
  sweep_timer_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec && !cut_) Sweep();
  });
}

void IoThread::Sweep() {
  const auto now = std::chrono::steady_clock::now();
  for (size_t i = connections_.size(); i-- > 0;) {
    const std::shared_ptr<HttpConnection> connection = connections_[i];
    connection->CheckDeadline(now);
  }
  sweeping_ = false;
  if (!connections_.empty()) ArmSweep();
}

void IoThread::DeliverLetters() {
  mailbox_->Take(letters_);
  for (AnswerMailbox::Letter& letter : letters_) {
    if (const auto connection = letter.connection.lock()) connection->Deliver(letter.request, std::move(letter.make));
  }
  letters_.clear();
}

}  // namespace refund_relay
