#include "client/position_file_text.h"

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "client/printable.h"
#include "client/xxh3.h"
#include "google/protobuf/util/json_util.h"
#include "refund_relay/position_text.h"
#include "refund_relay/rpc_error.h"

namespace refund_relay {
namespace {

constexpr std::string_view kFirstLine = "refund-relay position 1";
constexpr std::string_view kSubscriber = "subscriber: ";
constexpr std::string_view kPosition = "position: ";
constexpr std::string_view kFilter = "filter: ";
constexpr std::string_view kChecksum = "checksum: ";
constexpr size_t kLines = 5;

absl::Status Damaged(std::string_view what) {
  return StatusOf(MakeRpcError(grpc::StatusCode::DATA_LOSS, absl::StrCat("it is damaged: ", std::string(what)),
                               "POSITION_FILE_DAMAGED"));
}

absl::Status Foreign(std::string_view what) {
  return StatusOf(MakeRpcError(grpc::StatusCode::FAILED_PRECONDITION, std::string(what), "POSITION_FILE_FOREIGN"));
}

std::string Checksum(std::string_view lines) { return absl::StrFormat("%016x", Xxh3(lines)); }

// What follows `label` on `line`; false if it does not start so.
bool Value(std::string_view label, std::string_view line, std::string* value) {
  if (line.substr(0, label.size()) != label) return false;
  *value = line.substr(label.size());
  return true;
}

}  // namespace

std::string FormatPositionFile(const std::string& subscriber_name, const KeptPosition& kept) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string filter;
  // A filter that is no UTF-8 cannot be sent to a server either.
  if (!google::protobuf::util::MessageToJsonString(kept.filter, &filter, options).ok()) filter = "?";
  std::string text;
  for (const auto& [label, value] :
       {std::pair{kSubscriber, subscriber_name}, {kPosition, FormatPosition(kept.position)}, {kFilter, filter}}) {
    absl::StrAppend(&text, text.empty() ? absl::StrCat(std::string(kFirstLine), "\n") : "", std::string(label), value,
                    "\n");
  }
  const std::string checksum = Checksum(text);
  return absl::StrCat(text, std::string(kChecksum), checksum, "\n");
}

absl::StatusOr<KeptPosition> ParsePositionFile(const std::string& subscriber_name, const std::string& text) {
  if (text.empty()) return Damaged("it is empty");
  const size_t checksum_line = text.rfind(std::string("\n") + std::string(kChecksum));
  const std::string body = text.substr(0, checksum_line == std::string::npos ? 0 : checksum_line + 1);
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  if (lines[0] != kFirstLine) return Foreign("it is no file of positions of this version");
  std::string checksum;
  if (lines.size() != kLines + 1 || !lines[kLines].empty() || !Value(kChecksum, lines[4], &checksum)) {
    return Damaged("it has not the five lines that it should have");
  }
  if (checksum != Checksum(body)) return Damaged("its checksum is wrong");
  std::string name;
  std::string position_text;
  std::string filter;
  if (!Value(kSubscriber, lines[1], &name) || !Value(kPosition, lines[2], &position_text) ||
      !Value(kFilter, lines[3], &filter)) {
    return Damaged("its lines are not what they should be");
  }
  if (name != subscriber_name) {
    return Foreign(absl::StrCat("it belongs to the subscriber ", Printable(name), ", not to ", subscriber_name));
  }
  const auto position = ParsePosition(position_text);
  if (!position.ok()) return Damaged("its position cannot be read");
  KeptPosition kept{*position, {}};
  if (!google::protobuf::util::JsonStringToMessage(filter, &kept.filter).ok()) {
    return Damaged("its filter cannot be read");
  }
  return kept;
}

}  // namespace refund_relay
