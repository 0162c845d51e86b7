#include "server/translate/typed_fields.h"

#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "server/translate/json_number.h"
#include "server/translate/json_pointer.h"
#include "server/translate/money.h"
#include "server/translate/timestamps.h"

namespace refund_relay {
namespace {

using google::protobuf::Timestamp;
using refundrelay::v1::Money;
using refundrelay::v1::RefundEvent;

constexpr int32_t kNanosPerUnit = 1'000'000'000;

Carried Compare(std::string_view rendered, std::string_view sent) {
  return rendered == sent ? Carried::kExactly : Carried::kMeaning;
}

Carried SetString(const SchemaMember& member, const BodyValue& value, RefundEvent& event) {
  if (value.kind == JsonKind::kString || (member.kind == MemberKind::kPostcode && value.kind == JsonKind::kNumber)) {
    *member.access.write_string(event) = value.text;
    return value.kind == JsonKind::kString ? Carried::kExactly : Carried::kMeaning;
  }
  return Carried::kMistyped;
}

Carried SetBool(const SchemaMember& member, const BodyValue& value, RefundEvent& event) {
  if (value.kind != JsonKind::kTrue && value.kind != JsonKind::kFalse) return Carried::kMistyped;
  member.access.write_bool(event, value.kind == JsonKind::kTrue);
  return Carried::kExactly;
}

Carried SetDouble(const SchemaMember& member, const BodyValue& value, RefundEvent& event) {
  if (value.kind != JsonKind::kNumber) return Carried::kMistyped;
  const double number = NearestDouble(value.text);
  member.access.write_double(event, number);
  return Compare(DoubleText(number), value.text);
}

Carried SetIsoTime(const SchemaMember& member, const BodyValue& value, RefundEvent& event) {
  if (value.kind != JsonKind::kString) return Carried::kMistyped;
  const std::optional<Timestamp> time = ParseIsoTime(value.text);
  if (!time.has_value()) return Carried::kMistyped;
  *member.access.write_time(event) = *time;
  return Compare(IsoTimeText(*time).value_or(""), value.text);
}

Carried SetEpochSeconds(const SchemaMember& member, const BodyValue& value, RefundEvent& event) {
  if (value.kind != JsonKind::kNumber) return Carried::kMistyped;
  const std::optional<Timestamp> time = ParseEpochSeconds(value.text);
  if (!time.has_value()) return Carried::kMistyped;
  *member.access.write_time(event) = *time;
  return Compare(std::to_string(time->seconds()), value.text);
}

Carried SetContains(const BodyValue& value, const std::vector<std::string_view>& contains, RefundEvent& event) {
  if (value.kind != JsonKind::kArray) return Carried::kMistyped;
  for (const std::string_view element : contains) *event.add_contains() = element;
  if (!contains.empty()) return Carried::kExactly;
  // An empty list has no other place than extra_fields; anything else here held more than strings.
  return Carried::kMistyped;
}

absl::StatusOr<Carried> SetAmountField(const SchemaMember& member, const BodyValue& value, RefundEvent& event) {
  if (value.kind != JsonKind::kNumber) {
    return absl::FailedPreconditionError(absl::StrCat(std::string(member.path), ": a number is expected"));
  }
  Money& money = *event.mutable_refund()->mutable_amount();
  const absl::Status set = SetAmount(value.text, money);
  if (!set.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(std::string(member.path), ": ", set.message()));
  }
  return Compare(AmountText(money), value.text);
}

absl::StatusOr<Carried> SetCurrency(const SchemaMember& member, const BodyValue& value, RefundEvent& event) {
  if (value.kind != JsonKind::kString || !IsCurrencyCode(value.text)) {
    return absl::FailedPreconditionError(
        absl::StrCat(std::string(member.path), ": a string of three letters is expected"));
  }
  std::string code(value.text);
  for (char& c : code) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  const Carried carried = Compare(code, value.text);
  event.mutable_refund()->mutable_amount()->set_currency_code(std::move(code));
  return carried;
}

absl::Status Impossible(const SchemaMember& member) {
  return absl::InvalidArgumentError(absl::StrCat("the field of ", std::string(member.path),
                                                 " holds no value of its kind; no webhook gives such an event"));
}

}  // namespace

absl::StatusOr<Carried> SetTyped(const SchemaMember& member, const BodyValue& value,
                                 const std::vector<std::string_view>& contains, RefundEvent& event) {
  switch (member.kind) {
    case MemberKind::kObject:
      if (value.kind != JsonKind::kObject) return Carried::kMistyped;
      member.access.make_object(event);
      return Carried::kExactly;
    case MemberKind::kString:
    case MemberKind::kPostcode:
      return SetString(member, value, event);
    case MemberKind::kBool:
      return SetBool(member, value, event);
    case MemberKind::kDouble:
      return SetDouble(member, value, event);
    case MemberKind::kIsoTime:
      return SetIsoTime(member, value, event);
    case MemberKind::kEpochSeconds:
      return SetEpochSeconds(member, value, event);
    case MemberKind::kStringList:
      return SetContains(value, contains, event);
    case MemberKind::kAmount:
      return SetAmountField(member, value, event);
    case MemberKind::kCurrency:
      return SetCurrency(member, value, event);
  }
  return Carried::kMistyped;
}

absl::StatusOr<bool> AppendTyped(const SchemaMember& member, const RefundEvent& event, std::string& json) {
  switch (member.kind) {
    case MemberKind::kObject:
      return false;
    case MemberKind::kString:
    case MemberKind::kPostcode: {
      const std::string* const text = member.access.read_string(event);
      if (text != nullptr) AppendJsonString(json, *text);
      return text != nullptr;
    }
    case MemberKind::kBool: {
      const std::optional<bool> value = member.access.read_bool(event);
      if (value.has_value()) json += *value ? "true" : "false";
      return value.has_value();
    }
    case MemberKind::kDouble: {
      const std::optional<double> value = member.access.read_double(event);
      if (!value.has_value()) return false;
      if (!std::isfinite(*value)) return Impossible(member);
      json += DoubleText(*value);
      return true;
    }
    case MemberKind::kIsoTime: {
      const Timestamp* const time = member.access.read_time(event);
      if (time == nullptr) return false;
      const std::optional<std::string> text = IsoTimeText(*time);
      if (!text.has_value()) return Impossible(member);
      AppendJsonString(json, *text);
      return true;
    }
    case MemberKind::kEpochSeconds: {
      const Timestamp* const time = member.access.read_time(event);
      if (time != nullptr) json += std::to_string(time->seconds());
      return time != nullptr;
    }
    case MemberKind::kStringList: {
      if (event.contains().empty()) return false;
      const char* separator = "[";
      for (const std::string& element : event.contains()) {
        json += separator;
        AppendJsonString(json, element);
        separator = ",";
      }
      json += ']';
      return true;
    }
    case MemberKind::kAmount: {
      const Money& money = event.refund().amount();
      if (money.units() < 0 || money.nanos() < 0 || money.nanos() >= kNanosPerUnit) return Impossible(member);
      json += AmountText(money);
      return true;
    }
    case MemberKind::kCurrency:
      AppendJsonString(json, event.refund().amount().currency_code());
      return true;
  }
  return false;
}

}  // namespace refund_relay
