// The text of a file that keeps a position: read again only if it is whole and this subscriber's.
#ifndef REFUND_RELAY_CLIENT_POSITION_FILE_TEXT_H_
#define REFUND_RELAY_CLIENT_POSITION_FILE_TEXT_H_

#include <string>

#include "absl/status/statusor.h"
#include "refund_relay/position_keeper.h"

namespace refund_relay {

// Five lines:
//   refund-relay position 1
//   subscriber: books
//   position: LOG_ID:SEQUENCE:HASH
//   filter: {"event_names":["refunded.pass"]}
//   checksum: XXH3-64 of the lines before it, 16 hex digits
// Pure.
std::string FormatPositionFile(const std::string& subscriber_name, const KeptPosition& kept);

// The inverse. Errors name what is wrong, not the file. Pure.
// - FAILED_PRECONDITION, POSITION_FILE_FOREIGN: no such file, or another subscriber's.
// - DATA_LOSS, POSITION_FILE_DAMAGED: cut off, or edited.
absl::StatusOr<KeptPosition> ParsePositionFile(const std::string& subscriber_name, const std::string& text);

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_POSITION_FILE_TEXT_H_
