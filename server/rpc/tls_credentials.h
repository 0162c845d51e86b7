// The TLS of the gRPC port, fed by a TlsStore.
#ifndef REFUND_RELAY_SERVER_RPC_TLS_CREDENTIALS_H_
#define REFUND_RELAY_SERVER_RPC_TLS_CREDENTIALS_H_

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "server/ops/tls_store.h"

namespace refund_relay {

// Credentials whose every new connection uses what `store` holds then; open ones go on with what they have. TLS 1.2 at
// least, with gRPC's suites (ECDHE with AES-GCM). If the store has authorities for clients, a certificate that a client
// shows must be of one of them, and it must show one if `require_client_certificate`. `store` is loaded. Store and
// credentials outlive the server.
//
// gRPC's own FileWatcherCertificateProvider reads files by itself: it would use a pair that the store refuses, and
// could not tell. docs/adr/0011-certificates.md says more.
std::shared_ptr<grpc::ServerCredentials> MakeTlsCredentials(const TlsStore& store, bool require_client_certificate);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_TLS_CREDENTIALS_H_
