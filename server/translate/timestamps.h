// Times of webhooks: ISO-8601 text and epoch seconds <-> Timestamp.
#ifndef REFUND_RELAY_SERVER_TRANSLATE_TIMESTAMPS_H_
#define REFUND_RELAY_SERVER_TRANSLATE_TIMESTAMPS_H_

#include <google/protobuf/timestamp.pb.h>

#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace refund_relay {

// Reads a full ISO-8601 time: `YYYY-MM-DD`, `T` (or `t`, or a space), `HH:MM`, then optionally `:SS` with a fraction,
// then `Z` or an offset (`+05:30`, `+0530`, `+05`). A fraction finer than 1 ns is cut off. nullopt for anything else,
// such as a time without an offset, which names no instant, or a leap second, which Timestamp cannot tell.
std::optional<google::protobuf::Timestamp> ParseIsoTime(std::string_view text);

// The vendor's way: `YYYY-MM-DDTHH:MM:SS.mmmZ`, finer parts cut off. nullopt if `time` is no valid Timestamp.
std::optional<std::string> IsoTimeText(const google::protobuf::Timestamp& time);

// A legal JSON number as seconds since 1970; nullopt unless it is an integer in the years 2000 to 2100.
std::optional<google::protobuf::Timestamp> ParseEpochSeconds(std::string_view number);

// `time` in the form of protobuf, finer parts than 1 ns cut off.
google::protobuf::Timestamp ToTimestamp(absl::Time time);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_TRANSLATE_TIMESTAMPS_H_
