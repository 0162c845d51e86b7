#include "server/rpc/proto_json.h"

#include <google/protobuf/util/json_util.h>

namespace refund_relay {

std::string ProtoJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) return {};
  return json;
}

}  // namespace refund_relay
