// The two ways in which refundctl writes.
#ifndef REFUND_RELAY_CLIENT_REFUNDCTL_OUTPUT_FORMAT_H_
#define REFUND_RELAY_CLIENT_REFUNDCTL_OUTPUT_FORMAT_H_

namespace refund_relay {

enum class OutputFormat {
  kText,  // For people.
  kJson,  // One JSON object a line, for programs.
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_REFUNDCTL_OUTPUT_FORMAT_H_
