// Sorts what JsonReader finds in a webhook: members that the schema knows, and all others.
#ifndef REFUND_RELAY_SERVER_TRANSLATE_WEBHOOK_MEMBERS_H_
#define REFUND_RELAY_SERVER_TRANSLATE_WEBHOOK_MEMBERS_H_

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "server/translate/json_reader.h"
#include "server/translate/webhook_schema.h"

namespace refund_relay {

// A value in the body.
struct BodyValue {
  JsonKind kind;
  size_t begin;
  size_t end;             // of arrays and objects; a scalar ends where ScalarLength says
  std::string_view text;  // decoded string or number as written
};

// The value's own JSON text, cut from `body`.
std::string_view OwnText(std::string_view body, const BodyValue& value);

// A member that the schema does not know.
struct UnknownMember {
  Member parent;
  std::string_view name;
  BodyValue value;
};

// The members of one webhook. Not thread-safe; views live as long as the reader and the body.
class WebhookMembers : public JsonVisitor {
 public:
  void Restart() override;
  void Name(std::string_view name) override { name_ = name; }
  void Scalar(JsonKind kind, size_t begin, std::string_view text) override;
  void Open(JsonKind kind, size_t begin) override;
  void Close(size_t end) override;

  // The value of a known member, null if it is absent; of kRoot, the whole webhook.
  const BodyValue* Find(Member member) const {
    const size_t index = static_cast<size_t>(member);
    return present_[index] ? &values_[index] : nullptr;
  }

  // In the order of the body.
  const std::vector<UnknownMember>& unknown() const { return unknown_; }

  // The elements of `contains`, if it is an array of strings only; else empty.
  const std::vector<std::string_view>& contains() const { return contains_; }

 private:
  struct Recorded {
    const SchemaMember* member;  // null if unknown
    BodyValue* value;
  };
  Recorded Record(const BodyValue& value);

  std::array<BodyValue, kMemberCount> values_{};
  std::array<bool, kMemberCount> present_{};
  std::vector<UnknownMember> unknown_;
  std::vector<std::string_view> contains_;
  bool contains_only_strings_ = true;

  // Where the reader is: the known object (kRoot also before it opens), and how deep inside a value that is not one.
  Member object_ = Member::kRoot;
  bool in_root_ = false;
  std::string_view name_;
  size_t opaque_depth_ = 0;
  BodyValue* opaque_ = nullptr;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_TRANSLATE_WEBHOOK_MEMBERS_H_
