#include "client/refundctl/event_printer.h"

#include <array>
#include <charconv>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/printable.h"
#include "client/refundctl/json_line.h"
#include "client/refundctl/value_text.h"
#include "refund_relay/position_text.h"

namespace refund_relay {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::string TypeText(const refundrelay::v1::RefundEvent& event) {
  switch (event.type()) {
    case refundrelay::v1::REFUND_EVENT_TYPE_PASS:
      return "pass";
    case refundrelay::v1::REFUND_EVENT_TYPE_SUBSCRIPTION:
      return "subscription";
    case refundrelay::v1::REFUND_EVENT_TYPE_PAY_PER_USE:
      return "pay_per_use";
    default:
      return Printable(event.event_name());
  }
}

// The text of a message that is shown as one value; empty if it is shown field by field.
std::string MessageText(const Message& message) {
  const auto* descriptor = message.GetDescriptor();
  if (descriptor == google::protobuf::Timestamp::descriptor()) {
    return FormatTimeExact(static_cast<const google::protobuf::Timestamp&>(message));
  }
  if (descriptor == refundrelay::v1::Money::descriptor()) {
    return FormatMoney(static_cast<const refundrelay::v1::Money&>(message));
  }
  if (descriptor == refundrelay::v1::Position::descriptor()) {
    return Printable(FormatPosition(static_cast<const refundrelay::v1::Position&>(message)));
  }
  return "";
}

// The shortest text that reads back as `number`.
std::string DoubleText(double number) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  return std::string(text.data(), end);
}

// The value of a field that is no message; `index` is -1 for one that is not repeated.
std::string ScalarText(const Message& message, const FieldDescriptor* field, int index) {
  const auto* reflection = message.GetReflection();
  const bool repeated = index >= 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string text =
          repeated ? reflection->GetRepeatedString(message, field, index) : reflection->GetString(message, field);
      if (field->type() == FieldDescriptor::TYPE_BYTES) return absl::BytesToHexString(text);
      return text.empty() ? "\"\"" : Printable(text);
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number =
          repeated ? reflection->GetRepeatedEnumValue(message, field, index) : reflection->GetEnumValue(message, field);
      const auto* value = field->enum_type()->FindValueByNumber(number);
      return value != nullptr ? std::string(value->name()) : absl::StrCat(number);
    }
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return DoubleText(repeated ? reflection->GetRepeatedDouble(message, field, index)
                                 : reflection->GetDouble(message, field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return (repeated ? reflection->GetRepeatedBool(message, field, index) : reflection->GetBool(message, field))
                 ? "true"
                 : "false";
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(repeated ? reflection->GetRepeatedUInt64(message, field, index)
                                   : reflection->GetUInt64(message, field));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(repeated ? reflection->GetRepeatedInt64(message, field, index)
                                   : reflection->GetInt64(message, field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(repeated ? reflection->GetRepeatedUInt32(message, field, index)
                                   : reflection->GetUInt32(message, field));
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(repeated ? reflection->GetRepeatedInt32(message, field, index)
                                   : reflection->GetInt32(message, field));
    default:
      return "?";
  }
}

// The fields that show, by number or, with zeros, in the order of the .proto file.
std::vector<const FieldDescriptor*> FieldsOf(const Message& message, Zeros zeros) {
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  if (zeros == Zeros::kOmitted) {
    reflection->ListFields(message, &fields);
    return fields;
  }
  const auto* descriptor = message.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    if (!field->has_presence() || reflection->HasField(message, field)) fields.push_back(field);
  }
  return fields;
}

void AppendFields(const Message& message, const std::string& prefix, Zeros zeros, std::string* lines) {
  const auto* reflection = message.GetReflection();
  for (const FieldDescriptor* field : FieldsOf(message, zeros)) {
    const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      std::string path = prefix;
      absl::StrAppend(&path, std::string(field->name()));
      if (field->is_repeated()) absl::StrAppend(&path, "[", i, "]");
      std::string text;
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        const Message& child = field->is_repeated() ? reflection->GetRepeatedMessage(message, field, i)
                                                    : reflection->GetMessage(message, field);
        text = MessageText(child);
        if (text.empty()) {
          AppendFields(child, absl::StrCat(path, "."), zeros, lines);
          continue;
        }
      } else {
        text = ScalarText(message, field, field->is_repeated() ? i : -1);
      }
      absl::StrAppendFormat(lines, "%-40s %s\n", path, text);
    }
  }
}

}  // namespace

std::string EventLine(const refundrelay::v1::Delivery& delivery) {
  const auto& event = delivery.event();
  return absl::StrFormat(
      "%8d  %s  %-12s  refund %s  %s  client %s  event %s", delivery.sequence(), FormatTimeMillis(delivery.stored_at()),
      TypeText(event), Printable(event.refund().id()), FormatMoney(event.refund().amount()),
      event.refund().has_client_id() ? Printable(event.refund().client_id()) : "-", Printable(event.event_id()));
}

std::string FieldLines(const Message& message, Zeros zeros) {
  std::string lines;
  AppendFields(message, "", zeros, &lines);
  return lines;
}

absl::Status EventPrinter::PrintEvent(const refundrelay::v1::Delivery& delivery,
                                      const refundrelay::v1::Position* after) {
  if (format_ == OutputFormat::kText) return Write(EventLine(delivery) + "\n");
  JsonLine line("event");
  if (after != nullptr) line.Add("position", FormatPosition(*after));
  return Write(line.AddMembers(delivery).Build() + "\n");
}

absl::Status EventPrinter::PrintFields(std::string_view kind, const Message& message, Zeros zeros) {
  if (format_ == OutputFormat::kText) return Write(FieldLines(message, zeros));
  return Write(JsonLine(kind).AddMembers(message, zeros).Build() + "\n");
}

absl::Status EventPrinter::PrintMessage(std::string_view kind, const Message& message, const std::string& line,
                                        const refundrelay::v1::Position* position) {
  if (format_ == OutputFormat::kText) return Write(line + "\n");
  JsonLine json(kind);
  if (position != nullptr) json.Add("position_text", FormatPosition(*position));
  return Write(json.AddMembers(message, Zeros::kShown).Build() + "\n");
}

absl::Status EventPrinter::Write(const std::string& text) {
  out_ << text << std::flush;
  if (out_.good()) return absl::OkStatus();
  return absl::UnavailableError("the output could not be written: it is closed or full");
}

}  // namespace refund_relay
