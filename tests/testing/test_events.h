// Events for tests that do not care for webhooks.
#ifndef REFUND_RELAY_TESTS_TESTING_TEST_EVENTS_H_
#define REFUND_RELAY_TESTS_TESTING_TEST_EVENTS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "refundrelay/v1/refund_event.pb.h"
#include "server/log/event_log.h"

namespace refund_relay {

// An event as translation would make it, with some personal data; different for each `number`.
refundrelay::v1::RefundEvent MakeRefundEvent(uint64_t number, const std::string& event_name = "refunded.pass",
                                             const std::string& client_id = "client-a");

// The same, ready to append.
NewEvent MakeNewEvent(uint64_t number, const std::string& event_name = "refunded.pass",
                      const std::string& client_id = "client-a");

// Events 1 to `count` of `bytes` each: a thousand of 64 KiB are far more than windows and transport buffers hold.
std::vector<NewEvent> MakeLargeEvents(uint64_t count, size_t bytes = 64 << 10);

// Appends and waits for the outcome; it must be OK and no duplicate. Returns the sequence.
uint64_t AppendOrFail(EventLog& log, NewEvent event);

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_TESTING_TEST_EVENTS_H_
