// IdleInput: which connections send a lot and call too little.
#ifndef REFUND_RELAY_SERVER_RPC_IDLE_INPUT_H_
#define REFUND_RELAY_SERVER_RPC_IDLE_INPUT_H_

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <map>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/ops/tcp_bytes.h"

namespace refund_relay {

// Counts the calls that begin on each open connection, and compares them with the bytes that it sends: each pays for as
// much as the largest call needs. Frames that lead to no call of ours (header blocks without end, which gRPC 1.51 keeps
// in memory, CVE-2023-33953; floods of settings, pings, empty frames; calls of other services that are reset at once,
// CVE-2023-44487) are told from work by that alone, with TLS or without. Thread-safe; never blocks.
class IdleInput {
 public:
  // A connection: gRPC knows it by its peer, which may connect again before the end of an earlier one is noticed.
  struct Connection {
    boost::asio::ip::tcp::endpoint peer;
    uint64_t number = 0;  // never used twice
  };

  // What may come in before a call, and with each: the largest request with its metadata, twice; a part of what was
  // sent, because peers acknowledge it (WINDOW_UPDATE, 26 bytes for some 10 KB); and pings, or a health check, for
  // ever.
  static constexpr uint64_t kBytes = 512 << 10;
  // More than that must go on for kPatience, because the thread that shall take the calls may be late; more than this
  // without any call need not.
  static constexpr uint64_t kBytesAtOnce = 2 << 20;
  static constexpr absl::Duration kPatience = absl::Seconds(1);
  static constexpr uint64_t kPartOfSent = 4;
  static constexpr uint64_t kBytesPerSecond = 4 << 10;

  void Opened(const Connection& connection) ABSL_LOCKS_EXCLUDED(mutex_);
  void Closed(const Connection& connection) ABSL_LOCKS_EXCLUDED(mutex_);

  // A call of an authentic caller began: those of others pay for nothing, or one now and then would hide a flood.
  // `peer` as grpc::ServerContext::peer() writes it. Not one of a connection that is not open.
  void CallBegan(std::string_view peer) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether the connection, which has moved so many bytes by now, has sent too much for the calls that began. Its
  // account starts anew with the first look after a call that finds it in order.
  bool IsTooMuch(const Connection& connection, const TcpBytes& bytes, absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Account {
    uint64_t number = 0;
    uint64_t calls = 0;
    uint64_t calls_at_start = 0;
    uint64_t read_at_start = 0;
    uint64_t acknowledged_at_start = 0;
    absl::Time since = absl::InfiniteFuture();  // the first look
    absl::Time too_much_since = absl::InfiniteFuture();
    uint64_t read_then = 0;
  };

  absl::Mutex mutex_;
  std::map<boost::asio::ip::tcp::endpoint, Account> accounts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_IDLE_INPUT_H_
