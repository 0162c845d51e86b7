// Events and other messages as lines.
#include "client/refundctl/event_printer.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <sstream>

#include "refund_relay/position_text.h"

namespace refund_relay {
namespace {

using testing::HasSubstr;
using testing::Not;

refundrelay::v1::Delivery PassRefund() {
  refundrelay::v1::Delivery delivery;
  delivery.set_sequence(12);
  delivery.mutable_stored_at()->set_seconds(1'709'187'681);
  auto* event = delivery.mutable_event();
  event->set_event_id("65e0-4ad3");
  event->set_type(refundrelay::v1::REFUND_EVENT_TYPE_PASS);
  event->set_event_name("refunded.pass");
  auto* refund = event->mutable_refund();
  refund->set_id("65e0");
  refund->set_client_id("6501");
  refund->set_cancel_access(false);
  refund->mutable_amount()->set_currency_code("INR");
  refund->mutable_amount()->set_units(289);
  refund->mutable_amount()->set_nanos(500'000'000);
  event->mutable_user()->set_phone_number("9598598585");
  event->mutable_user()->set_name("");
  event->mutable_user()->mutable_location()->set_latitude(77.2793);
  event->add_contains("refund");
  event->set_webhook_sha256(std::string("\x01\xFF", 2));
  return delivery;
}

TEST(EventPrinterTest, AnEventIsOneLineWithoutPersonalData) {
  std::ostringstream out;
  ASSERT_TRUE(EventPrinter(out, OutputFormat::kText).PrintEvent(PassRefund(), nullptr).ok());
  EXPECT_EQ(out.str(),
            "      12  2024-02-29T06:21:21.000Z  pass          refund 65e0  289.5 INR  client 6501  event 65e0-4ad3\n");
}

TEST(EventPrinterTest, AnUnknownTypeShowsTheEventName) {
  auto delivery = PassRefund();
  delivery.mutable_event()->set_type(refundrelay::v1::REFUND_EVENT_TYPE_UNSPECIFIED);
  delivery.mutable_event()->set_event_name("refunded.bundle");
  delivery.mutable_event()->mutable_refund()->clear_client_id();
  EXPECT_THAT(EventLine(delivery), HasSubstr("  refunded.bundle  refund"));
  EXPECT_THAT(EventLine(delivery), HasSubstr("client -"));
  delivery.mutable_event()->set_type(static_cast<refundrelay::v1::RefundEventType>(77));
  EXPECT_THAT(EventLine(delivery), HasSubstr("  refunded.bundle  refund"));
}

TEST(EventPrinterTest, AnIdCannotStartALine) {
  auto delivery = PassRefund();
  delivery.mutable_event()->mutable_refund()->set_id("65e0\n      13  forged");
  EXPECT_THAT(EventLine(delivery), Not(HasSubstr("\n")));
}

TEST(EventPrinterTest, JsonIsTheDeliveryWithKindAndPosition) {
  std::ostringstream out;
  const auto after = PositionAfter("log", PassRefund());
  ASSERT_TRUE(EventPrinter(out, OutputFormat::kJson).PrintEvent(PassRefund(), &after).ok());
  const std::string prefix = R"({"kind":"event","position":")" + FormatPosition(after) + "\",";
  ASSERT_EQ(out.str().substr(0, prefix.size()), prefix);
  EXPECT_THAT(out.str(), HasSubstr(R"("sequence":"12")"));
  EXPECT_THAT(out.str(), HasSubstr(R"("phone_number":"9598598585")"));
  refundrelay::v1::Delivery read;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage("{" + out.str().substr(prefix.size()), &read).ok());
  EXPECT_EQ(read.SerializeAsString(), PassRefund().SerializeAsString());
}

TEST(EventPrinterTest, FieldsShowEverythingThatIsSet) {
  const std::string lines = FieldLines(PassRefund());
  const auto line = [](const std::string& path, const std::string& value) {
    return path + std::string(40 - path.size(), ' ') + " " + value + "\n";
  };
  EXPECT_THAT(lines, HasSubstr(line("sequence", "12")));
  EXPECT_THAT(lines, HasSubstr(line("stored_at", "2024-02-29T06:21:21Z")));
  EXPECT_THAT(lines, HasSubstr(line("event.type", "REFUND_EVENT_TYPE_PASS")));
  EXPECT_THAT(lines, HasSubstr(line("event.contains[0]", "refund")));
  EXPECT_THAT(lines, HasSubstr(line("event.refund.amount", "289.5 INR")));
  EXPECT_THAT(lines, HasSubstr(line("event.refund.cancel_access", "false")));
  EXPECT_THAT(lines, HasSubstr(line("event.user.name", "\"\"")));
  EXPECT_THAT(lines, HasSubstr(line("event.user.location.latitude", "77.2793")));
  EXPECT_THAT(lines, HasSubstr(line("event.webhook_sha256", "01ff")));
  EXPECT_THAT(lines, Not(HasSubstr("email")));
}

TEST(EventPrinterTest, AnOutputThatIsGoneIsAnError) {
  std::ostringstream out;
  out.setstate(std::ios::badbit);
  EXPECT_EQ(EventPrinter(out, OutputFormat::kText).PrintEvent(PassRefund(), nullptr).code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace refund_relay
