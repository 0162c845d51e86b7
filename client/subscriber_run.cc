#include "client/subscriber_run.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/filter_cover.h"
#include "google/protobuf/util/json_util.h"
#include "refund_relay/position_text.h"

namespace refund_relay {
namespace {

using refundrelay::v1::SubscribeRequest;
using refundrelay::v1::SubscribeResponse;

constexpr absl::Duration kDefaultHeartbeatInterval = absl::Seconds(15);
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

// Fills in what was left out.
SubscriberParts Complete(SubscriberParts parts) {
  if (parts.observer == nullptr) parts.observer = std::make_shared<SubscriberObserver>();
  if (parts.sleeper == nullptr) parts.sleeper = std::make_shared<SystemSleeper>();
  if (parts.now == nullptr) parts.now = absl::Now;
  if (parts.random == nullptr) parts.random = SystemRandom();
  return parts;
}

}  // namespace

SubscriberRun::SubscriberRun(SubscriberOptions options, SubscriberParts parts)
    : options_(std::move(options)),
      parts_(Complete(std::move(parts))),
      reconnect_backoff_(options_.reconnect, parts_.random),
      handler_backoff_(options_.handler.backoff, parts_.random),
      chain_(StartPosition(options_.request)),
      committer_(parts_.keeper, options_.request.filter(), options_.commit, parts_.random, parts_.now,
                 *parts_.observer) {}

void SubscriberRun::Stop() {
  std::shared_ptr<EventStream> stream;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    stream = stream_;
  }
  if (stream != nullptr) stream->Cancel();
  if (parts_.keeper != nullptr) parts_.keeper->StopLoading();
  parts_.sleeper->Wake();
}

SubscriberResult SubscriberRun::Run() {
  const bool complete = parts_.streams != nullptr && parts_.handler != nullptr;
  if (!complete || options_.request.start_case() == SubscribeRequest::START_NOT_SET) {
    return Result(End::kFailed, MakeRpcError(grpc::StatusCode::INVALID_ARGUMENT,
                                             complete ? "start: choose one for the first time: there is no default"
                                                      : "a subscriber needs `streams` and a `handler`"));
  }
  connect_deadline_ = parts_.now() + options_.connect_timeout;
  if (const MaybeEnd end = LoadPosition(); end.has_value()) return Result(*end->final_end, end->error);
  return RunStreams();
}

SubscriberResult SubscriberRun::RunStreams() {
  for (;;) {
    const StreamEnd end = RunStream();
    if (end.final_end.has_value()) return Result(*end.final_end, end.error);
    if (stopping()) return Result(End::kStopped);
    // The stream may have broken after the last event that was asked for and before the server said so.
    if (UntilReached()) return Result(End::kBoundReached);
    const auto wait = WaitAfter(end);
    if (!wait.has_value()) return Result(End::kFailed, end.error);
    if (committer_.has_keeper() && !parts_.keeper->KeptByServer()) {
      // This one can be reached although the server cannot; who knows for how long.
      const MaybeEnd failed = PositionsEnd(committer_.CommitNow());
      if (failed.has_value()) return Result(*failed->final_end, failed->error);
    }
    parts_.observer->OnReconnect(end.error, *wait, chain_.position());
    parts_.sleeper->Sleep(*wait);
    if (stopping()) return Result(End::kStopped);
  }
}

SubscriberRun::MaybeEnd SubscriberRun::LoadPosition() {
  if (!committer_.has_keeper()) return std::nullopt;
  for (;;) {
    if (stopping()) return StreamEnd{.final_end = End::kStopped, .error = {}};
    const auto kept = parts_.keeper->Load();
    if (kept.ok()) {
      if (!kept->has_value()) return std::nullopt;
      const RpcError error = AcceptKept(**kept);
      if (error.ok()) return std::nullopt;
      return StreamEnd{.final_end = End::kPositionsFailed, .error = error};
    }
    if (stopping()) return StreamEnd{.final_end = End::kStopped, .error = {}};
    const StreamEnd end{.final_end = End::kPositionsFailed, .error = RpcErrorOf(kept.status())};
    const auto wait = WaitAfter(end);
    if (!wait.has_value()) return end;
    parts_.observer->OnReconnect(end.error, *wait, std::nullopt);
    parts_.sleeper->Sleep(*wait);
  }
}

RpcError SubscriberRun::AcceptKept(const KeptPosition& kept) {
  // The server compares filters itself, and knows names that this build does not.
  if (!parts_.keeper->KeptByServer() && !Covers(kept.filter, options_.request.filter())) {
    RpcError error =
        MakeRpcError(grpc::StatusCode::FAILED_PRECONDITION,
                     "the kept position was read through a filter that admits less than this one", "FILTER_WIDENED");
    google::protobuf::util::JsonPrintOptions options;
    options.preserve_proto_field_names = true;
    const auto status = google::protobuf::util::MessageToJsonString(kept.filter, &error.metadata["filter"], options);
    if (!status.ok()) error.metadata.clear();
    return error;
  }
  kept_ = kept.position;
  chain_ = PositionChain(kept.position);
  committer_.SetCommitted(kept.position);
  start_committed_ = true;
  return {};
}

SubscriberRun::StreamEnd SubscriberRun::RunStream() {
  started_ = false;
  reconnect_after_ = absl::ZeroDuration();
  heartbeat_interval_ = options_.request.has_heartbeat_interval() ? ToDuration(options_.request.heartbeat_interval())
                                                                  : kDefaultHeartbeatInterval;
  const std::shared_ptr<EventStream> stream = parts_.streams->Open(NextRequest());
  {
    absl::MutexLock lock(&mutex_);
    stream_ = stream;
  }
  MaybeEnd end = ReadStream(*stream);
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

absl::Duration SubscriberRun::Patience() const {
  if (started_) return heartbeat_interval_ * options_.dead_stream.heartbeat_intervals;
  if (ever_started_) return options_.dead_stream.start_timeout;
  return std::min(options_.dead_stream.start_timeout, std::max(connect_deadline_ - parts_.now(), kLeastFirstWait));
}

SubscriberRun::MaybeEnd SubscriberRun::ReadStream(EventStream& stream) {
  SubscribeResponse response;
  absl::Duration waited = absl::ZeroDuration();
  while (!stopping()) {
    const absl::Duration patience = Patience();
    // A commit that comes due interrupts the waiting; its own time does not count as waiting.
    const absl::Duration wait = std::min(patience - waited, started_ ? committer_.DueIn() : absl::InfiniteDuration());
    const auto outcome = stream.Read(wait, &response);
    if (outcome == EventStream::ReadOutcome::kEnd) return std::nullopt;
    if (outcome == EventStream::ReadOutcome::kSilent) {
      waited += wait;
      if (waited >= patience) return StreamEnd{.final_end = std::nullopt, .error = OnSilence(patience)};
    } else {
      waited = absl::ZeroDuration();
      if (MaybeEnd end = OnResponse(response); end.has_value()) return end;
    }
    if (MaybeEnd end = PositionsEnd(committer_.CommitIfDue()); end.has_value()) return end;
  }
  return std::nullopt;
}

SubscriberRun::MaybeEnd SubscriberRun::OnResponse(const SubscribeResponse& response) {
  if (response.response_case() == SubscribeResponse::RESPONSE_NOT_SET) return std::nullopt;  // a kind to come
  if (response.has_started() == started_) {
    return StreamEnd{.final_end = std::nullopt,
                     .error = ChainBroken(absl::DataLossError(started_ ? "the stream started twice"
                                                                       : "the stream does not begin with `started`"))};
  }
  if (started_) reconnect_backoff_.Reset();
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

SubscriberRun::MaybeEnd SubscriberRun::OnStarted(const refundrelay::v1::Started& started) {
  const auto& position = started.position();
  if (!ever_started_ && kept_.has_value() && parts_.keeper->KeptByServer() &&
      position.sequence() != kept_->sequence()) {
    return StreamEnd{
        .final_end = End::kPositionsFailed,
        .error = MakeRpcError(grpc::StatusCode::ABORTED,
                              absl::StrCat("the committed position moved from sequence ", kept_->sequence(), " to ",
                                           position.sequence(), " meanwhile: another process commits under this name"),
                              "VERSION_CHANGED")};
  }
  const auto status = chain_.Begin(started);
  if (!status.ok()) return StreamEnd{.final_end = std::nullopt, .error = ChainBroken(status)};
  const absl::Duration interval = ToDuration(started.heartbeat_interval());
  if (interval > absl::ZeroDuration()) heartbeat_interval_ = interval;
  started_ = true;
  last_connect_failure_.clear();
  parts_.observer->OnStarted(started, std::exchange(ever_started_, true));
  committer_.Moved(position, 0);
  return CommitStart();
}

SubscriberRun::MaybeEnd SubscriberRun::CommitStart() {
  if (start_committed_) return std::nullopt;
  while (!stopping()) {
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

SubscriberRun::MaybeEnd SubscriberRun::OnBatch(const refundrelay::v1::Batch& batch) {
  const auto status = chain_.Check(batch);
  if (!status.ok()) return StreamEnd{.final_end = std::nullopt, .error = ChainBroken(status)};
  for (const auto& delivery : batch.deliveries()) {
    PositionChain after = chain_;
    after.Handled(delivery);
    if (MaybeEnd end = Handle(delivery, *after.position()); end.has_value()) return end;
    chain_ = std::move(after);
    attempts_without_progress_ = 0;
    committer_.Moved(*chain_.position(), 1);
    if (++events_ == options_.max_events) return StreamEnd{.final_end = End::kMaxEvents, .error = {}};
    if (MaybeEnd end = PositionsEnd(committer_.CommitIfDue()); end.has_value()) return end;
  }
  return OnPosition(batch.position());
}

SubscriberRun::MaybeEnd SubscriberRun::Handle(const refundrelay::v1::Delivery& delivery,
                                              const refundrelay::v1::Position& after) {
  for (uint32_t attempt = 1; !stopping(); ++attempt) {
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

SubscriberRun::MaybeEnd SubscriberRun::OnPosition(const refundrelay::v1::Position& position) {
  const uint64_t before = chain_.position()->sequence();
  const auto status = chain_.Advance(position);
  if (!status.ok()) return StreamEnd{.final_end = std::nullopt, .error = ChainBroken(status)};
  if (position.sequence() > before) attempts_without_progress_ = 0;
  committer_.Moved(position, 0);
  return std::nullopt;
}

SubscriberRun::MaybeEnd SubscriberRun::PositionsEnd(const absl::Status& status) {
  if (status.ok() || IsPassing(RpcErrorOf(status))) return std::nullopt;
  return StreamEnd{.final_end = End::kPositionsFailed, .error = RpcErrorOf(status)};
}

RpcError SubscriberRun::OnSilence(absl::Duration patience) {
  const std::string waited = absl::FormatDuration(absl::Trunc(patience, absl::Milliseconds(1)));
  if (started_) {
    return MakeRpcError(grpc::StatusCode::DEADLINE_EXCEEDED,
                        absl::StrCat("nothing came from the server for ", waited, ": the stream is dead"));
  }
  // The waiting was done while it was silent: the next attempt may follow soon.
  reconnect_backoff_.Reset();
  return MakeRpcError(grpc::StatusCode::UNAVAILABLE,
                      absl::StrCat("no server answered for ", waited,
                                   last_connect_failure_.empty() ? "" : "; before: ", last_connect_failure_));
}

SubscriberRun::StreamEnd SubscriberRun::OnStatus(const RpcError& status) const {
  if (!status.ok()) return {.final_end = std::nullopt, .error = status};
  if (options_.request.stop_when_caught_up() || options_.request.has_until()) {
    return {.final_end = End::kBoundReached, .error = {}};
  }
  return {.final_end = std::nullopt,
          .error = MakeRpcError(grpc::StatusCode::UNKNOWN, "the server ended a stream that has no end")};
}

std::optional<absl::Duration> SubscriberRun::WaitAfter(const StreamEnd& end) {
  const Reaction reaction = end.error.reason == "CHAIN_BROKEN" ? Reaction::kResumeFew : ReactionTo(end.error);
  if (!options_.keep_reconnecting || reaction == Reaction::kGiveUp) return std::nullopt;
  if (reaction == Reaction::kResumeFew && ++attempts_without_progress_ >= kMaxAttemptsWithoutProgress) {
    return std::nullopt;
  }
  const absl::Duration wait = end.reconnect_after + reconnect_backoff_.Next();
  if (ever_started_) return wait;
  const absl::Duration left = connect_deadline_ - parts_.now();
  // What is left is used to its end, unless the server itself asked to be left alone for longer.
  if (left <= end.reconnect_after) return std::nullopt;
  return std::min(wait, left);
}

SubscribeRequest SubscriberRun::NextRequest() const {
  SubscribeRequest request = options_.request;
  if (!ever_started_ && kept_.has_value() && parts_.keeper->KeptByServer()) {
    // The server compares the filters for this start only.
    request.set_start_from(refundrelay::v1::START_FROM_COMMITTED);
  } else if (chain_.position().has_value()) {
    *request.mutable_after() = *chain_.position();
  }
  return request;
}

bool SubscriberRun::UntilReached() const {
  if (!options_.request.has_until() || !ever_started_) return false;
  const auto& until = options_.request.until();
  return chain_.position()->log_id() == until.log_id() && chain_.position()->sequence() >= until.sequence();
}

bool SubscriberRun::stopping() const {
  absl::MutexLock lock(&mutex_);
  return stopping_;
}

SubscriberResult SubscriberRun::Result(End end, RpcError error) {
  if (end != End::kPositionsFailed) {
    const absl::Status status = committer_.CommitLast();
    if (!status.ok() && error.ok()) {
      end = End::kPositionsFailed;
      error = RpcErrorOf(status);
    }
  }
  return {end, std::move(error), chain_.position(), committer_.committed()};
}

}  // namespace refund_relay
