// Messages as proto JSON, for the metadata of ErrorInfo.
#ifndef REFUND_RELAY_SERVER_RPC_PROTO_JSON_H_
#define REFUND_RELAY_SERVER_RPC_PROTO_JSON_H_

#include <google/protobuf/message.h>

#include <string>

namespace refund_relay {

// Compact, with the field names of the .proto files; empty if `message` cannot be said in JSON. A pure function.
std::string ProtoJson(const google::protobuf::Message& message);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_RPC_PROTO_JSON_H_
