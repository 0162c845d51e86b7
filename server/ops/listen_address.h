// ListenAddress: where a server listens, as `host:port`.
#ifndef REFUND_RELAY_SERVER_OPS_LISTEN_ADDRESS_H_
#define REFUND_RELAY_SERVER_OPS_LISTEN_ADDRESS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace refund_relay {

struct ListenAddress {
  std::string host = "127.0.0.1";  // an IP address in its usual spelling, without brackets
  uint16_t port = 0;               // 0 picks a free one

  // Whether only this machine can reach it.
  bool IsLoopback() const;

  // `127.0.0.1:80`, `[::1]:80`: what gRPC takes, and what people read.
  std::string ToString() const;

  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

// Parses `127.0.0.1:8080`, `[::1]:8080` or `localhost:8080` (which is 127.0.0.1). INVALID_ARGUMENT says what is
// accepted. Other names are refused: one that resolves to several addresses would leave open which of them is listened
// on.
absl::StatusOr<ListenAddress> ParseListenAddress(std::string_view text);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_LISTEN_ADDRESS_H_
