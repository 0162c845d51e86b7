// Personal data leaves the encoded event, and nothing else does.
#include "server/translate/personal_data.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "refundrelay/v1/refund_event.pb.h"
#include "server/translate/webhook_parser.h"
#include "tests/testing/webhook_generator.h"

namespace refund_relay {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using refundrelay::v1::ExtraField;
using refundrelay::v1::RefundEvent;

// Sets every field of `message`, also nested ones and two entries of every list.
void Fill(Message& message) {
  const Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* const field = message.GetDescriptor()->field(i);
    for (int entry = 0; entry < (field->is_repeated() ? 2 : 1); ++entry) {
      switch (field->cpp_type()) {
        case FieldDescriptor::CPPTYPE_MESSAGE:
          Fill(field->is_repeated() ? *reflection.AddMessage(&message, field)
                                    : *reflection.MutableMessage(&message, field));
          break;
        case FieldDescriptor::CPPTYPE_STRING:
          if (field->is_repeated()) {
            reflection.AddString(&message, field, "text of " + field->name());
          } else {
            reflection.SetString(&message, field, "text of " + field->name());
          }
          break;
        case FieldDescriptor::CPPTYPE_ENUM:
          reflection.SetEnumValue(&message, field, 1);
          break;
        case FieldDescriptor::CPPTYPE_BOOL:
          reflection.SetBool(&message, field, true);
          break;
        case FieldDescriptor::CPPTYPE_DOUBLE:
          reflection.SetDouble(&message, field, 1.5);
          break;
        case FieldDescriptor::CPPTYPE_INT64:
          reflection.SetInt64(&message, field, 7);
          break;
        case FieldDescriptor::CPPTYPE_INT32:
          reflection.SetInt32(&message, field, 7);
          break;
        default:
          FAIL() << "teach this test the type of " << field->full_name();
      }
    }
  }
}

// Whether `type` is ExtraField or holds one at any depth.
bool HoldsExtraFields(const Descriptor* type, std::set<const Descriptor*> seen = {}) {
  if (type == ExtraField::descriptor()) return true;
  if (!seen.insert(type).second) return false;
  for (int i = 0; i < type->field_count(); ++i) {
    const Descriptor* const inner = type->field(i)->message_type();
    if (inner != nullptr && HoldsExtraFields(inner, seen)) return true;
  }
  return false;
}

TEST(PersonalDataTest, IsWhatTheContractNames) {
  std::set<std::string> names;
  for (int i = 0; i < RefundEvent::descriptor()->field_count(); ++i) {
    const FieldDescriptor* const field = RefundEvent::descriptor()->field(i);
    if (IsPersonalData(field->number())) names.insert(field->name());
  }
  EXPECT_EQ(names, (std::set<std::string>{"user", "client_info", "extra_fields", "webhook_sha256"}));
}

TEST(PersonalDataTest, EveryFieldThatCanHoldExtraFieldsIsListed) {
  int found = 0;
  for (int i = 0; i < RefundEvent::descriptor()->field_count(); ++i) {
    const FieldDescriptor* const field = RefundEvent::descriptor()->field(i);
    if (field->message_type() == nullptr || !HoldsExtraFields(field->message_type())) continue;
    ++found;
    EXPECT_TRUE(IsPersonalData(field->number())) << field->name() << " may hold personal data: list it";
  }
  EXPECT_EQ(found, 3);
}

TEST(PersonalDataTest, OmitsItAndKeepsTheRest) {
  RefundEvent full;
  ASSERT_NO_FATAL_FAILURE(Fill(full));
  RefundEvent rest;
  ASSERT_TRUE(rest.ParseFromString(OmitPersonalData(full.SerializeAsString())));

  RefundEvent expected = full;
  const Reflection& reflection = *full.GetReflection();
  int kept = 0;
  for (int i = 0; i < RefundEvent::descriptor()->field_count(); ++i) {
    const FieldDescriptor* const field = RefundEvent::descriptor()->field(i);
    const bool present =
        field->is_repeated() ? reflection.FieldSize(rest, field) > 0 : reflection.HasField(rest, field);
    EXPECT_EQ(present, !IsPersonalData(field->number())) << field->name();
    if (IsPersonalData(field->number())) {
      reflection.ClearField(&expected, field);
    } else {
      ++kept;
    }
  }
  EXPECT_EQ(kept, RefundEvent::descriptor()->field_count() - 4);
  EXPECT_EQ(rest.SerializeAsString(), expected.SerializeAsString());
}

TEST(PersonalDataTest, KeepsFieldsThatThisBuildDoesNotKnow) {
  RefundEvent event;
  event.set_event_id("id");
  event.GetReflection()->MutableUnknownFields(&event)->AddVarint(1000, 5);
  event.GetReflection()->MutableUnknownFields(&event)->AddFixed64(1001, 6);
  EXPECT_EQ(OmitPersonalData(event.SerializeAsString()), event.SerializeAsString());
}

TEST(PersonalDataTest, GeneratedEventsShowNone) {
  testing::WebhookGenerator generator(3);
  for (int i = 0; i < 300; ++i) {
    const absl::StatusOr<ParsedWebhook> webhook = ParseWebhook(generator.Odd(), {absl::FromUnixSeconds(1), ""});
    ASSERT_TRUE(webhook.ok()) << webhook.status();
    RefundEvent rest;
    ASSERT_TRUE(rest.ParseFromString(OmitPersonalData(webhook->event.SerializeAsString())));
    RefundEvent expected = webhook->event;
    expected.clear_user();
    expected.clear_client_info();
    expected.clear_extra_fields();
    expected.clear_webhook_sha256();
    EXPECT_EQ(rest.SerializeAsString(), expected.SerializeAsString());
  }
}

TEST(PersonalDataTest, FailsClosed) {
  RefundEvent event;
  Fill(event);
  const std::string encoded = event.SerializeAsString();
  for (const std::string& damaged : {encoded.substr(0, encoded.size() - 1), encoded + '\x0A', encoded + '\0',
                                     "\x07" + encoded, encoded + "\x52\x7F"}) {
    EXPECT_EQ(OmitPersonalData(damaged), "");
  }
  EXPECT_EQ(OmitPersonalData(""), "");
}

}  // namespace
}  // namespace refund_relay
