#include "server/translate/event_id.h"

#include <algorithm>

#include "server/translate/sha256.h"

namespace refund_relay {
namespace {

constexpr size_t kMaxPlainIdBytes = 64;
constexpr size_t kHashBytes = 8;

bool IsPlain(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; }

}  // namespace

std::string MakeEventId(std::string_view refund_id, std::string_view event_name,
                        std::optional<std::string_view> updated_at, std::string_view refund_json) {
  const bool plain = !refund_id.empty() && refund_id.size() <= kMaxPlainIdBytes &&
                     std::all_of(refund_id.begin(), refund_id.end(), IsPlain);
  std::string id;
  if (plain) {
    id = refund_id;
  } else {
    id = 'x';
    id += LowerHex(Sha256({refund_id}));
  }
  const std::string stand_in = updated_at.has_value() ? std::string() : LowerHex(Sha256({refund_json}));
  id += '-';
  id += LowerHex(Sha256({event_name, "\n", updated_at.value_or(stand_in)}), kHashBytes);
  return id;
}

}  // namespace refund_relay
