#include "server/translate/webhook_members.h"

namespace refund_relay {

std::string_view OwnText(std::string_view body, const BodyValue& value) {
  const bool nested = value.kind == JsonKind::kArray || value.kind == JsonKind::kObject;
  return body.substr(value.begin, nested ? value.end - value.begin : ScalarLength(body, value.begin));
}

void WebhookMembers::Restart() { *this = WebhookMembers(); }

WebhookMembers::Recorded WebhookMembers::Record(const BodyValue& value) {
  const SchemaMember* const member = in_root_ ? FindMember(object_, name_) : &SchemaOf(Member::kRoot);
  if (member == nullptr) return {nullptr, &unknown_.emplace_back(UnknownMember{object_, name_, value}).value};
  const size_t index = static_cast<size_t>(member->member);
  present_[index] = true;
  values_[index] = value;
  return {member, &values_[index]};
}

void WebhookMembers::Scalar(JsonKind kind, size_t begin, std::string_view text) {
  if (opaque_depth_ == 0) {
    Record(BodyValue{kind, begin, begin, text});
  } else if (opaque_depth_ == 1 && opaque_ == &values_[static_cast<size_t>(Member::kContains)]) {
    contains_only_strings_ = contains_only_strings_ && kind == JsonKind::kString;
    if (contains_only_strings_) contains_.push_back(text);
  }
}

void WebhookMembers::Open(JsonKind kind, size_t begin) {
  if (opaque_depth_ > 0) {
    if (opaque_ == &values_[static_cast<size_t>(Member::kContains)]) contains_only_strings_ = false;
    ++opaque_depth_;
    return;
  }
  const Recorded recorded = Record(BodyValue{kind, begin, begin, {}});
  if (recorded.member != nullptr && recorded.member->kind == MemberKind::kObject && kind == JsonKind::kObject) {
    object_ = recorded.member->member;
    in_root_ = true;
  } else {
    opaque_ = recorded.value;
    opaque_depth_ = 1;
  }
}

void WebhookMembers::Close(size_t end) {
  if (opaque_depth_ > 0) {
    if (--opaque_depth_ > 0) return;
    opaque_->end = end;
    if (!contains_only_strings_) contains_.clear();
    opaque_ = nullptr;
    return;
  }
  values_[static_cast<size_t>(object_)].end = end;
  if (object_ == Member::kRoot) return;
  object_ = SchemaOf(object_).parent;
}

}  // namespace refund_relay
