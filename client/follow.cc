#include "client/follow.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace refund_relay {
namespace {

using refundrelay::v1::SubscribeRequest;
using refundrelay::v1::SubscribeResponse;

constexpr absl::Duration kDefaultHeartbeatInterval = absl::Seconds(15);
// A stream is dead after this many intervals in which it was waited for and nothing came.
constexpr int kDeadAfterIntervals = 3;
// Streams in a row that may break for a reason that should never happen, without getting on, before it is given up.
constexpr int kMaxAttemptsWithoutProgress = 5;
// The last attempt to get a first `started` may take so long even if the connect timeout is over.
constexpr absl::Duration kLeastFirstWait = absl::Seconds(1);

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

Follower::Follower(FollowOptions options, EventStreamFactory& streams, Sleeper& sleeper, Backoff backoff,
                   std::function<absl::Time()> now, FollowObserver& observer)
    : options_(std::move(options)),
      streams_(streams),
      sleeper_(sleeper),
      now_(std::move(now)),
      observer_(observer),
      backoff_(std::move(backoff)),
      chain_(StartPosition(options_.request)) {}

FollowResult Follower::Run() {
  connect_deadline_ = now_() + options_.connect_timeout;
  for (;;) {
    const StreamEnd end = RunStream();
    if (stopping()) return Result(FollowResult::End::kStopped);
    if (end.final_end.has_value()) return Result(*end.final_end, end.error);
    // The stream may have broken after the last event that was asked for and before the server said so.
    if (UntilReached()) return Result(FollowResult::End::kBoundReached);
    const auto wait = WaitAfter(end);
    if (!wait.has_value()) return Result(FollowResult::End::kFailed, end.error);
    observer_.OnReconnect(end.error, *wait, chain_.position());
    sleeper_.Sleep(*wait);
    if (stopping()) return Result(FollowResult::End::kStopped);
  }
}

void Follower::Stop() {
  std::shared_ptr<EventStream> stream;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    stream = stream_;
  }
  if (stream != nullptr) stream->Cancel();
  sleeper_.Wake();
}

Follower::StreamEnd Follower::RunStream() {
  started_ = false;
  reconnect_after_ = absl::ZeroDuration();
  heartbeat_interval_ = options_.request.has_heartbeat_interval() ? ToDuration(options_.request.heartbeat_interval())
                                                                  : kDefaultHeartbeatInterval;
  const std::shared_ptr<EventStream> stream = streams_.Open(NextRequest());
  {
    absl::MutexLock lock(&mutex_);
    stream_ = stream;
  }
  std::optional<StreamEnd> end;
  SubscribeResponse response;
  while (!end.has_value() && !stopping()) {
    const absl::Duration first_wait =
        ever_started_ ? options_.connect_timeout : std::max(connect_deadline_ - now_(), kLeastFirstWait);
    const absl::Duration patience = started_ ? heartbeat_interval_ * kDeadAfterIntervals : first_wait;
    const auto outcome = stream->Read(patience, &response);
    if (outcome == EventStream::ReadOutcome::kEnd) break;
    if (outcome == EventStream::ReadOutcome::kSilent) {
      end = StreamEnd{.final_end = std::nullopt, .error = OnSilence(patience)};
    } else {
      end = OnResponse(response);
    }
  }
  if (end.has_value() || stopping()) stream->Cancel();
  const RpcError status = stream->Finish();
  {
    absl::MutexLock lock(&mutex_);
    stream_ = nullptr;
  }
  if (!end.has_value()) end = OnStatus(status);
  if (!started_ && IsUnreachable(status) && status.code != grpc::StatusCode::CANCELLED) {
    last_connect_failure_ = status.message;
  }
  end->reconnect_after = std::max(reconnect_after_, end->error.retry_delay.value_or(absl::ZeroDuration()));
  return *end;
}

std::optional<Follower::StreamEnd> Follower::OnResponse(const SubscribeResponse& response) {
  if (response.response_case() == SubscribeResponse::RESPONSE_NOT_SET) return std::nullopt;  // a kind to come
  if (response.has_started() == started_) {
    return StreamEnd{.final_end = std::nullopt,
                     .error = ChainBroken(absl::DataLossError(started_ ? "the stream started twice"
                                                                       : "the stream does not begin with `started`"))};
  }
  if (started_) backoff_.Reset();
  switch (response.response_case()) {
    case SubscribeResponse::kStarted: {
      const auto status = chain_.Begin(response.started());
      if (!status.ok()) return StreamEnd{.final_end = std::nullopt, .error = ChainBroken(status)};
      const absl::Duration interval = ToDuration(response.started().heartbeat_interval());
      if (interval > absl::ZeroDuration()) heartbeat_interval_ = interval;
      started_ = true;
      last_connect_failure_.clear();
      observer_.OnStarted(response.started(), std::exchange(ever_started_, true));
      return std::nullopt;
    }
    case SubscribeResponse::kBatch:
      return OnBatch(response.batch());
    case SubscribeResponse::kHeartbeat:
      return OnPosition(response.heartbeat().position());
    case SubscribeResponse::kCaughtUp: {
      auto end = OnPosition(response.caught_up().position());
      if (!end.has_value()) observer_.OnCaughtUp(response.caught_up().position());
      return end;
    }
    case SubscribeResponse::kFellBehind: {
      auto end = OnPosition(response.fell_behind().position());
      if (!end.has_value()) observer_.OnFellBehind(response.fell_behind().position());
      return end;
    }
    case SubscribeResponse::kGoingAway: {
      auto end = OnPosition(response.going_away().position());
      reconnect_after_ = ToDuration(response.going_away().reconnect_after());
      if (!end.has_value()) observer_.OnGoingAway(response.going_away());
      return end;
    }
    case SubscribeResponse::RESPONSE_NOT_SET:
      break;
  }
  return std::nullopt;
}

std::optional<Follower::StreamEnd> Follower::OnBatch(const refundrelay::v1::Batch& batch) {
  const auto status = chain_.Check(batch);
  if (!status.ok()) return StreamEnd{.final_end = std::nullopt, .error = ChainBroken(status)};
  for (const auto& delivery : batch.deliveries()) {
    if (stopping()) return StreamEnd{.final_end = FollowResult::End::kStopped, .error = {}};
    PositionChain after = chain_;
    after.Handled(delivery);
    const auto handled = observer_.OnEvent(delivery, *after.position());
    if (!handled.ok()) {
      return StreamEnd{
          .final_end = FollowResult::End::kFailed,
          .error = MakeRpcError(grpc::StatusCode::ABORTED,
                                std::string(handled.message().data(), handled.message().size()), "OUTPUT_FAILED")};
    }
    chain_ = std::move(after);
    attempts_without_progress_ = 0;
    if (++events_ == options_.max_events) return StreamEnd{.final_end = FollowResult::End::kMaxEvents, .error = {}};
  }
  return OnPosition(batch.position());
}

std::optional<Follower::StreamEnd> Follower::OnPosition(const refundrelay::v1::Position& position) {
  const uint64_t before = chain_.position()->sequence();
  const auto status = chain_.Advance(position);
  if (!status.ok()) return StreamEnd{.final_end = std::nullopt, .error = ChainBroken(status)};
  if (position.sequence() > before) attempts_without_progress_ = 0;
  return std::nullopt;
}

RpcError Follower::OnSilence(absl::Duration patience) {
  const std::string waited = absl::FormatDuration(absl::Trunc(patience, absl::Milliseconds(1)));
  if (started_) {
    return MakeRpcError(grpc::StatusCode::DEADLINE_EXCEEDED,
                        absl::StrCat("nothing came from the server for ", waited, ": the stream is dead"));
  }
  // The waiting was done while it was silent: the next attempt may follow soon.
  backoff_.Reset();
  return MakeRpcError(grpc::StatusCode::UNAVAILABLE,
                      absl::StrCat("no server answered for ", waited,
                                   last_connect_failure_.empty() ? "" : "; before: ", last_connect_failure_));
}

Follower::StreamEnd Follower::OnStatus(const RpcError& status) const {
  if (!status.ok()) return {.final_end = std::nullopt, .error = status};
  if (options_.request.stop_when_caught_up() || options_.request.has_until()) {
    return {.final_end = FollowResult::End::kBoundReached, .error = {}};
  }
  return {.final_end = std::nullopt,
          .error = MakeRpcError(grpc::StatusCode::UNKNOWN, "the server ended a stream that has no end")};
}

std::optional<absl::Duration> Follower::WaitAfter(const StreamEnd& end) {
  const Reaction reaction = end.error.reason == "CHAIN_BROKEN" ? Reaction::kResumeFew : ReactionTo(end.error);
  if (!options_.reconnect || reaction == Reaction::kGiveUp) return std::nullopt;
  if (reaction == Reaction::kResumeFew && ++attempts_without_progress_ >= kMaxAttemptsWithoutProgress) {
    return std::nullopt;
  }
  const absl::Duration wait = end.reconnect_after + backoff_.Next();
  if (ever_started_) return wait;
  const absl::Duration left = connect_deadline_ - now_();
  // What is left is used to its end, unless the server itself asked to be left alone for longer.
  if (left <= end.reconnect_after) return std::nullopt;
  return std::min(wait, left);
}

SubscribeRequest Follower::NextRequest() const {
  SubscribeRequest request = options_.request;
  if (chain_.position().has_value()) *request.mutable_after() = *chain_.position();
  return request;
}

bool Follower::UntilReached() const {
  if (!options_.request.has_until() || !ever_started_) return false;
  const auto& until = options_.request.until();
  return chain_.position()->log_id() == until.log_id() && chain_.position()->sequence() >= until.sequence();
}

bool Follower::stopping() const {
  absl::MutexLock lock(&mutex_);
  return stopping_;
}

FollowResult Follower::Result(FollowResult::End end, RpcError error) const {
  return {end, std::move(error), chain_.position()};
}

}  // namespace refund_relay
