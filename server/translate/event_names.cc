#include "server/translate/event_names.h"

namespace refund_relay {
namespace {

using refundrelay::v1::RefundEventType;

constexpr std::string_view kPayPerUse[] = {"refunded.pay_per_use"};
constexpr std::string_view kSubscription[] = {"refunded.subscription"};
constexpr std::string_view kPass[] = {"refunded.pass"};

}  // namespace

RefundEventType TypeOfEventName(std::string_view event_name) {
  for (const RefundEventType type :
       {refundrelay::v1::REFUND_EVENT_TYPE_PAY_PER_USE, refundrelay::v1::REFUND_EVENT_TYPE_SUBSCRIPTION,
        refundrelay::v1::REFUND_EVENT_TYPE_PASS}) {
    for (const std::string_view name : EventNamesOfType(type)) {
      if (name == event_name) return type;
    }
  }
  return refundrelay::v1::REFUND_EVENT_TYPE_UNSPECIFIED;
}

absl::Span<const std::string_view> EventNamesOfType(RefundEventType type) {
  switch (type) {
    case refundrelay::v1::REFUND_EVENT_TYPE_PAY_PER_USE:
      return kPayPerUse;
    case refundrelay::v1::REFUND_EVENT_TYPE_SUBSCRIPTION:
      return kSubscription;
    case refundrelay::v1::REFUND_EVENT_TYPE_PASS:
      return kPass;
    default:
      return {};
  }
}

}  // namespace refund_relay
