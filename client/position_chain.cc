#include "client/position_chain.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "refund_relay/position_text.h"

namespace refund_relay {

PositionChain::PositionChain(std::optional<refundrelay::v1::Position> resume_after)
    : position_(std::move(resume_after)) {}

absl::Status PositionChain::Begin(const refundrelay::v1::Started& started) {
  const auto& start = started.position();
  if (position_.has_value() && start.sequence() != position_->sequence()) {
    return absl::DataLossError(absl::StrCat("the stream starts after sequence ", start.sequence(),
                                            " although it was asked to start after ", position_->sequence()));
  }
  position_ = start;
  previous_sequence_ = start.sequence();
  return absl::OkStatus();
}

absl::Status PositionChain::Check(const refundrelay::v1::Batch& batch) const {
  if (batch.previous_sequence() != previous_sequence_) {
    return absl::DataLossError(absl::StrCat("the chain of batches is broken: this one follows sequence ",
                                            batch.previous_sequence(), ", but the last one seen is ",
                                            previous_sequence_));
  }
  // Positions run ahead of the last delivery where events do not match, so the stricter bound is the position.
  uint64_t last = position_->sequence();
  for (const auto& delivery : batch.deliveries()) {
    if (delivery.sequence() <= last) {
      return absl::DataLossError(absl::StrCat("sequence ", delivery.sequence(), " came after sequence ", last));
    }
    last = delivery.sequence();
  }
  if (batch.position().sequence() < last) {
    return absl::DataLossError(absl::StrCat("the position of a batch, ", batch.position().sequence(),
                                            ", lies before its last sequence, ", last));
  }
  return absl::OkStatus();
}

void PositionChain::Handled(const refundrelay::v1::Delivery& delivery) {
  position_ = PositionAfter(position_->log_id(), delivery);
  previous_sequence_ = delivery.sequence();
}

absl::Status PositionChain::Advance(const refundrelay::v1::Position& position) {
  if (position.sequence() < position_->sequence()) {
    return absl::DataLossError(
        absl::StrCat("the position went back from sequence ", position_->sequence(), " to ", position.sequence()));
  }
  position_ = position;
  return absl::OkStatus();
}

}  // namespace refund_relay
