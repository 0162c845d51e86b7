#include "tests/testing/test_events.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace refund_relay {

refundrelay::v1::RefundEvent MakeRefundEvent(uint64_t number, const std::string& event_name,
                                             const std::string& client_id) {
  refundrelay::v1::RefundEvent event;
  event.set_event_id(absl::StrCat("refund-", absl::Dec(number, absl::kZeroPad10)));
  event.set_event_name(event_name);
  event.mutable_refund()->set_id(event.event_id());
  event.mutable_refund()->set_client_id(client_id);
  event.mutable_refund()->mutable_amount()->set_currency_code("INR");
  event.mutable_refund()->mutable_amount()->set_units(static_cast<int64_t>(number));
  event.mutable_user()->set_phone_number("9598598585");
  event.mutable_client_info()->set_country("India");
  event.set_webhook_sha256(std::string(32, 'h'));
  return event;
}

NewEvent MakeNewEvent(uint64_t number, const std::string& event_name, const std::string& client_id) {
  const refundrelay::v1::RefundEvent event = MakeRefundEvent(number, event_name, client_id);
  return {event.event_id(), event_name, client_id, event.refund().id(), "", event.SerializeAsString()};
}

std::vector<NewEvent> MakeLargeEvents(uint64_t count, size_t bytes) {
  std::vector<NewEvent> events;
  for (uint64_t i = 1; i <= count; ++i) {
    refundrelay::v1::RefundEvent event = MakeRefundEvent(i);
    event.mutable_user()->set_name(std::string(bytes, 'x'));
    events.push_back(
        {event.event_id(), event.event_name(), "client-a", event.refund().id(), "", event.SerializeAsString()});
  }
  return events;
}

uint64_t AppendOrFail(EventLog& log, NewEvent event) {
  absl::Notification answered;
  absl::StatusOr<AppendOutcome> outcome;
  log.Append(std::move(event), [&](absl::StatusOr<AppendOutcome> result) {
    outcome = std::move(result);
    answered.Notify();
  });
  answered.WaitForNotification();
  EXPECT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_FALSE(outcome->duplicate);
  return outcome->sequence;
}

}  // namespace refund_relay
