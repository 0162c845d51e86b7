#include "client/message_handler.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace refund_relay {
namespace {

using refundrelay::v1::SubscribeRequest;
using refundrelay::v1::SubscribeResponse;
using End = SubscriberResult::End;

constexpr absl::Duration kDefaultHeartbeatInterval = absl::Seconds(15);

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

std::optional<refundrelay::v1::Position> StartPosition(const SubscribeRequest& request) {
  if (!request.has_after()) return std::nullopt;
  return request.after();
}

RpcError ChainBroken(const absl::Status& status) {
  return MakeRpcError(grpc::StatusCode::DATA_LOSS, std::string(status.message().data(), status.message().size()),
                      "CHAIN_BROKEN");
}

}  // namespace

MaybeEnd PositionsEnd(const absl::Status& status) {
  if (status.ok() || IsPassing(RpcErrorOf(status))) return std::nullopt;
  return StreamEnd{.final_end = End::kPositionsFailed, .error = RpcErrorOf(status)};
}

MessageHandler::MessageHandler(const SubscriberOptions& options, const SubscriberParts& parts,
                               std::function<bool()> stopping)
    : options_(options),
      parts_(parts),
      stopping_(std::move(stopping)),
      handler_backoff_(options.handler.backoff, parts.random),
      chain_(StartPosition(options.request)),
      committer_(parts.keeper, options.request.filter(), options.commit, parts.random, parts.now, *parts.observer) {}

void MessageHandler::SetKept(const refundrelay::v1::Position& position) {
  chain_ = PositionChain(position);
  committer_.SetCommitted(position);
  if (parts_.keeper->KeptByServer()) committed_start_ = position;
}

void MessageHandler::BeginStream() {
  started_ = false;
  reconnect_after_ = absl::ZeroDuration();
  heartbeat_interval_ = options_.request.has_heartbeat_interval() ? ToDuration(options_.request.heartbeat_interval())
                                                                  : kDefaultHeartbeatInterval;
}

SubscribeRequest MessageHandler::NextRequest() const {
  SubscribeRequest request = options_.request;
  if (!ever_started_ && committed_start_.has_value()) {
    // The server compares the filters for this start only.
    request.set_start_from(refundrelay::v1::START_FROM_COMMITTED);
  } else if (chain_.position().has_value()) {
    *request.mutable_after() = *chain_.position();
  }
  return request;
}

bool MessageHandler::UntilReached() const {
  if (!options_.request.has_until() || !ever_started_) return false;
  const auto& until = options_.request.until();
  return chain_.position()->log_id() == until.log_id() && chain_.position()->sequence() >= until.sequence();
}

MaybeEnd MessageHandler::OnResponse(const SubscribeResponse& response) {
  if (response.response_case() == SubscribeResponse::RESPONSE_NOT_SET) return std::nullopt;  // a kind to come
  if (response.has_started() == started_) {
    return StreamEnd{.final_end = std::nullopt,
                     .error = ChainBroken(absl::DataLossError(started_ ? "the stream started twice"
                                                                       : "the stream does not begin with `started`"))};
  }
  switch (response.response_case()) {
    case SubscribeResponse::kStarted:
      return OnStarted(response.started());
    case SubscribeResponse::kBatch:
      return OnBatch(response.batch());
    case SubscribeResponse::kHeartbeat: {
      const auto& heartbeat = response.heartbeat();
      auto end = OnPosition(heartbeat.position());
      const uint64_t last = std::max(heartbeat.last_sequence(), heartbeat.position().sequence());
      if (!end.has_value()) parts_.observer->OnHeartbeat(heartbeat, last - heartbeat.position().sequence());
      return end;
    }
    case SubscribeResponse::kCaughtUp: {
      auto end = OnPosition(response.caught_up().position());
      if (!end.has_value()) parts_.observer->OnCaughtUp(response.caught_up().position());
      return end;
    }
    case SubscribeResponse::kFellBehind: {
      auto end = OnPosition(response.fell_behind().position());
      if (!end.has_value()) parts_.observer->OnFellBehind(response.fell_behind().position());
      return end;
    }
    case SubscribeResponse::kGoingAway: {
      auto end = OnPosition(response.going_away().position());
      reconnect_after_ = ToDuration(response.going_away().reconnect_after());
      if (!end.has_value()) parts_.observer->OnGoingAway(response.going_away());
      // While the server is still there.
      return end.has_value() ? end : PositionsEnd(committer_.CommitNow());
    }
    case SubscribeResponse::RESPONSE_NOT_SET:
      break;
  }
  return std::nullopt;
}

MaybeEnd MessageHandler::OnStarted(const refundrelay::v1::Started& started) {
  const auto& position = started.position();
  if (!ever_started_ && committed_start_.has_value() && position.sequence() != committed_start_->sequence()) {
    return StreamEnd{.final_end = End::kPositionsFailed,
                     .error = MakeRpcError(grpc::StatusCode::ABORTED,
                                           absl::StrCat("the committed position moved from sequence ",
                                                        committed_start_->sequence(), " to ", position.sequence(),
                                                        " meanwhile: another process commits under this name"),
                                           "VERSION_CHANGED")};
  }
  const auto status = chain_.Begin(started);
  if (!status.ok()) return StreamEnd{.final_end = std::nullopt, .error = ChainBroken(status)};
  const absl::Duration interval = ToDuration(started.heartbeat_interval());
  if (interval > absl::ZeroDuration()) heartbeat_interval_ = interval;
  started_ = true;
  parts_.observer->OnStarted(started, std::exchange(ever_started_, true));
  committer_.Moved(position, 0);
  return CommitStart();
}

MaybeEnd MessageHandler::CommitStart() {
  if (start_committed_) return std::nullopt;
  while (!stopping_()) {
    const auto status = committer_.CommitNow();
    if (status.ok()) {
      start_committed_ = true;
      return std::nullopt;
    }
    if (MaybeEnd end = PositionsEnd(status); end.has_value()) return end;
    parts_.sleeper->Sleep(committer_.retry_wait());
  }
  return StreamEnd{.final_end = End::kStopped, .error = {}};
}

MaybeEnd MessageHandler::OnBatch(const refundrelay::v1::Batch& batch) {
  const auto status = chain_.Check(batch);
  if (!status.ok()) return StreamEnd{.final_end = std::nullopt, .error = ChainBroken(status)};
  for (const auto& delivery : batch.deliveries()) {
    PositionChain after = chain_;
    after.Handled(delivery);
    if (MaybeEnd end = Handle(delivery, *after.position()); end.has_value()) return end;
    chain_ = std::move(after);
    progressed_ = true;
    committer_.Moved(*chain_.position(), 1);
    if (++events_ == options_.max_events) return StreamEnd{.final_end = End::kMaxEvents, .error = {}};
    if (MaybeEnd end = PositionsEnd(committer_.CommitIfDue()); end.has_value()) return end;
  }
  return OnPosition(batch.position());
}

MaybeEnd MessageHandler::Handle(const refundrelay::v1::Delivery& delivery, const refundrelay::v1::Position& after) {
  for (uint32_t attempt = 1; !stopping_(); ++attempt) {
    const absl::Status handled = parts_.handler(delivery, after);
    if (handled.ok()) {
      if (attempt > 1) handler_backoff_.Reset();
      return std::nullopt;
    }
    if (attempt == options_.handler.max_attempts) {
      return StreamEnd{.final_end = End::kHandlerFailed, .error = RpcErrorOf(handled)};
    }
    const absl::Duration wait = handler_backoff_.Next();
    parts_.observer->OnHandlerError(delivery, handled, attempt, wait);
    // This may take long: what was handled before need not be repeated after a crash.
    if (attempt == 1) {
      if (MaybeEnd end = PositionsEnd(committer_.CommitNow()); end.has_value()) return end;
    }
    parts_.sleeper->Sleep(wait);
  }
  return StreamEnd{.final_end = End::kStopped, .error = {}};
}

MaybeEnd MessageHandler::OnPosition(const refundrelay::v1::Position& position) {
  const uint64_t before = chain_.position()->sequence();
  const auto status = chain_.Advance(position);
  if (!status.ok()) return StreamEnd{.final_end = std::nullopt, .error = ChainBroken(status)};
  if (position.sequence() > before) progressed_ = true;
  committer_.Moved(position, 0);
  return std::nullopt;
}

}  // namespace refund_relay
