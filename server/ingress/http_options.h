// Limits and time-outs of the HTTP server.
#ifndef REFUND_RELAY_SERVER_INGRESS_HTTP_OPTIONS_H_
#define REFUND_RELAY_SERVER_INGRESS_HTTP_OPTIONS_H_

#include <cstddef>

#include "absl/time/time.h"
#include "server/ingress/request_parser.h"
#include "server/ops/tls_store.h"

namespace refund_relay {

inline constexpr absl::Duration kRequestTimeout = absl::Seconds(10);
inline constexpr absl::Duration kIdleTimeout = absl::Seconds(75);
inline constexpr absl::Duration kCommitTimeout = absl::Seconds(5);
inline constexpr absl::Duration kWriteTimeout = absl::Seconds(10);
inline constexpr absl::Duration kDiscardTimeout = absl::Seconds(3);
inline constexpr size_t kMaxDiscardBytes = 4 << 20;
inline constexpr size_t kMaxHttpConnections = 4096;

// Time-outs are kept to within HttpOptions::sweep_interval.
struct HttpOptions {
  RequestParser::Limits limits;
  int threads = 2;
  const TlsStore* tls = nullptr;                     // loaded; outlives the server. Null: plain text
  size_t max_connections = kMaxHttpConnections;      // further ones get a 503 (not with TLS) and are closed
  size_t max_connections_per_peer = 0;               // likewise; see PeerQuota
  absl::Duration request_timeout = kRequestTimeout;  // first byte of the head to last byte of the body: 408 beyond;
                                                     // and from accept, over TLS, to that first byte
  absl::Duration idle_timeout = kIdleTimeout;        // between requests: closed beyond
  absl::Duration answer_timeout = kCommitTimeout;    // last byte of the body to the answer: RequestExchange::TimeOut
  absl::Duration write_timeout = kWriteTimeout;      // a peer that does not take the answer is cut
  absl::Duration discard_timeout = kDiscardTimeout;  // reading on after an early answer, so that the sender sees it
  size_t max_discard_bytes = kMaxDiscardBytes;       // likewise
  absl::Duration sweep_interval = absl::Milliseconds(50);
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_HTTP_OPTIONS_H_
