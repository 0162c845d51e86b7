#include "client/subscriber_run.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/filter_cover.h"
#include "google/protobuf/util/json_util.h"

namespace refund_relay {
namespace {

using refundrelay::v1::SubscribeRequest;
using refundrelay::v1::SubscribeResponse;

// Streams in a row that may break for a reason that should never happen, without getting on, before it is given up.
constexpr int kMaxAttemptsWithoutProgress = 5;
// The last attempt to get a first `started` may take so long even if the connect timeout is over.
constexpr absl::Duration kLeastFirstWait = absl::Seconds(1);

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
      messages_(options_, parts_, [this] { return stopping(); }) {}

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
    if (messages_.UntilReached()) return Result(End::kBoundReached);
    const auto wait = WaitAfter(end);
    if (!wait.has_value()) return Result(End::kFailed, end.error);
    if (parts_.keeper != nullptr && !parts_.keeper->KeptByServer()) {
      // This one can be reached although the server cannot; who knows for how long.
      const MaybeEnd failed = PositionsEnd(messages_.committer().CommitNow());
      if (failed.has_value()) return Result(*failed->final_end, failed->error);
    }
    parts_.observer->OnReconnect(end.error, *wait, messages_.position());
    parts_.sleeper->Sleep(*wait);
    if (stopping()) return Result(End::kStopped);
  }
}

MaybeEnd SubscriberRun::LoadPosition() {
  if (parts_.keeper == nullptr) return std::nullopt;
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
  messages_.SetKept(kept.position);
  parts_.observer->OnKept(kept.position);
  return {};
}

StreamEnd SubscriberRun::RunStream() {
  messages_.BeginStream();
  const std::shared_ptr<EventStream> stream = parts_.streams->Open(messages_.NextRequest());
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
  if (messages_.started()) {
    last_connect_failure_.clear();
  } else if (IsUnreachable(status) && status.code != grpc::StatusCode::CANCELLED) {
    last_connect_failure_ = status.message;
  }
  end->reconnect_after = std::max(messages_.reconnect_after(), end->error.retry_delay.value_or(absl::ZeroDuration()));
  return *end;
}

absl::Duration SubscriberRun::Patience() const {
  if (messages_.started()) return messages_.heartbeat_interval() * options_.dead_stream.heartbeat_intervals;
  if (messages_.ever_started()) return options_.dead_stream.start_timeout;
  return std::min(options_.dead_stream.start_timeout, std::max(connect_deadline_ - parts_.now(), kLeastFirstWait));
}

MaybeEnd SubscriberRun::ReadStream(EventStream& stream) {
  SubscribeResponse response;
  absl::Duration waited = absl::ZeroDuration();
  while (!stopping()) {
    const absl::Duration patience = Patience();
    // A commit that comes due interrupts the waiting; its own time does not count as waiting.
    const absl::Duration wait =
        std::min(patience - waited, messages_.started() ? messages_.committer().DueIn() : absl::InfiniteDuration());
    const auto outcome = stream.Read(wait, &response);
    if (outcome == EventStream::ReadOutcome::kEnd) return std::nullopt;
    if (outcome == EventStream::ReadOutcome::kSilent) {
      waited += wait;
      if (waited >= patience) return StreamEnd{.final_end = std::nullopt, .error = OnSilence(patience)};
    } else {
      waited = absl::ZeroDuration();
      const bool was_started = messages_.started();
      if (MaybeEnd end = messages_.OnResponse(response); end.has_value()) return end;
      if (was_started) reconnect_backoff_.Reset();  // it says more than `started`: it lives
    }
    if (MaybeEnd end = PositionsEnd(messages_.committer().CommitIfDue()); end.has_value()) return end;
  }
  return std::nullopt;
}

RpcError SubscriberRun::OnSilence(absl::Duration patience) {
  const std::string waited = absl::FormatDuration(absl::Trunc(patience, absl::Milliseconds(1)));
  if (messages_.started()) {
    return MakeRpcError(grpc::StatusCode::DEADLINE_EXCEEDED,
                        absl::StrCat("nothing came from the server for ", waited, ": the stream is dead"));
  }
  // The waiting was done while it was silent: the next attempt may follow soon.
  reconnect_backoff_.Reset();
  return MakeRpcError(grpc::StatusCode::UNAVAILABLE,
                      absl::StrCat("no server answered for ", waited,
                                   last_connect_failure_.empty() ? "" : "; before: ", last_connect_failure_));
}

StreamEnd SubscriberRun::OnStatus(const RpcError& status) const {
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
  if (messages_.TakeProgress()) attempts_without_progress_ = 0;
  if (reaction == Reaction::kResumeFew && ++attempts_without_progress_ >= kMaxAttemptsWithoutProgress) {
    return std::nullopt;
  }
  const absl::Duration wait = end.reconnect_after + reconnect_backoff_.Next();
  if (messages_.ever_started()) return wait;
  const absl::Duration left = connect_deadline_ - parts_.now();
  // What is left is used to its end, unless the server itself asked to be left alone for longer.
  if (left <= end.reconnect_after) return std::nullopt;
  return std::min(wait, left);
}

bool SubscriberRun::stopping() const {
  absl::MutexLock lock(&mutex_);
  return stopping_;
}

SubscriberResult SubscriberRun::Result(End end, RpcError error) {
  if (end != End::kPositionsFailed) {
    const absl::Status status = messages_.committer().CommitLast();
    if (!status.ok() && error.ok()) {
      end = End::kPositionsFailed;
      error = RpcErrorOf(status);
    }
  }
  return {end, std::move(error), messages_.position(), messages_.committer().committed()};
}

}  // namespace refund_relay
