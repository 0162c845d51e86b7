#include "server/translate/personal_data.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <cstdint>
#include <limits>

#include "refundrelay/v1/refund_event.pb.h"

namespace refund_relay {

using google::protobuf::internal::WireFormatLite;
using refundrelay::v1::RefundEvent;

bool IsPersonalData(int field_number) {
  return field_number == RefundEvent::kUserFieldNumber || field_number == RefundEvent::kClientInfoFieldNumber ||
         field_number == RefundEvent::kExtraFieldsFieldNumber || field_number == RefundEvent::kWebhookSha256FieldNumber;
}

std::string OmitPersonalData(std::string_view encoded_event) {
  if (encoded_event.size() > static_cast<size_t>(std::numeric_limits<int>::max())) return {};
  google::protobuf::io::CodedInputStream input(reinterpret_cast<const uint8_t*>(encoded_event.data()),
                                               static_cast<int>(encoded_event.size()));
  std::string kept;
  kept.reserve(encoded_event.size());
  while (true) {
    const int begin = input.CurrentPosition();
    const uint32_t tag = input.ReadTag();
    if (tag == 0) break;
    if (!WireFormatLite::SkipField(&input, tag)) return {};
    if (IsPersonalData(WireFormatLite::GetTagFieldNumber(tag))) continue;
    kept += encoded_event.substr(static_cast<size_t>(begin), static_cast<size_t>(input.CurrentPosition() - begin));
  }
  if (!input.ConsumedEntireMessage()) return {};
  return kept;
}

}  // namespace refund_relay
