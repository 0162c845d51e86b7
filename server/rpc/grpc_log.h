// What gRPC itself has to say, as lines of our log.
#ifndef REFUND_RELAY_SERVER_RPC_GRPC_LOG_H_
#define REFUND_RELAY_SERVER_RPC_GRPC_LOG_H_

namespace refund_relay {

// From now on gRPC's own lines (its errors, unless GRPC_VERBOSITY asks for more) are JSON as all others. Peers cause
// most of them, by a failed handshake for one, so they are at most ten a second and no error of ours. For the start,
// before gRPC is used.
void TakeGrpcLog();

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_GRPC_LOG_H_
