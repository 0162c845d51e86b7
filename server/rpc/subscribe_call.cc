#include "server/rpc/subscribe_call.h"

#include <grpc/grpc.h>

#include <algorithm>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "server/log/status_reason.h"
#include "server/ops/logging.h"
#include "server/rpc/access_checks.h"
#include "server/rpc/position_check.h"
#include "server/rpc/status_table.h"

namespace refund_relay {
namespace {

namespace v1 = refundrelay::v1;

// A stream that reaches its age may come back at once: other streams go at other times.
constexpr absl::Duration kReconnectAfterAge = absl::ZeroDuration();
// A stream under a token that expires later still ends then: a longer one would overflow the clock.
constexpr absl::Duration kLongestTokenStream = absl::Hours(24 * 365);
// So may one whose rights changed: it learns at once what it may see now.
constexpr absl::Duration kReconnectAfterPolicy = absl::ZeroDuration();

void ToProto(absl::Duration duration, google::protobuf::Duration* proto) {
  absl::Duration rest;
  proto->set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  proto->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
}

// For a log line: the reason by which the contract names the status, or the status itself.
std::string ReasonText(const absl::Status& status) {
  const auto reason = ReasonOf(status);
  return reason.has_value() ? reason->reason() : status.ToString();
}

absl::Status StreamLimitError(const PeerQuota& quota, PeerQuota::Verdict verdict, const PeerAddress& peer) {
  const std::string message =
      verdict == PeerQuota::Verdict::kFullForPeer
          ? absl::StrCat("your address, ", peer.ToString(), ", has ", quota.limit_per_peer(),
                         " open streams, the limit of one (--max_streams_per_peer); close some, or have it raised if "
                         "a proxy stands between")
          : absl::StrCat("the server has ", quota.limit(),
                         " open streams, its limit (--max_streams); try again later or elsewhere");
  return WithReason(absl::ResourceExhaustedError(message), "SUBSCRIBER_LIMIT");
}

}  // namespace

void SubscribeCall::Registry::Remove(SubscribeCall* call) {
  calls_.erase(std::remove(calls_.begin(), calls_.end(), call), calls_.end());
}

void SubscribeCall::Registry::SendAway(const std::string& reason, absl::Duration reconnect_after) {
  for (SubscribeCall* call : calls_) call->GoAway(reason, reconnect_after);
}

void SubscribeCall::Registry::CheckRights() {
  for (SubscribeCall* call : calls_) {
    if (!call->HasItsRights()) call->GoAway("POLICY_CHANGED", kReconnectAfterPolicy);
  }
}

void SubscribeCall::Request(EventService& service, CallContext& context, QueueThread& thread, Registry& registry) {
  auto* const call = new SubscribeCall(service, context, thread, registry);  // owns itself
  call->server_context_.AsyncNotifyWhenDone(call->done_.Begin());
  service.RequestSubscribe(&call->server_context_, &call->request_bytes_, &call->writer_, thread.queue(),
                           thread.queue(), call->requested_.Begin());
}

SubscribeCall::SubscribeCall(EventService& service, CallContext& context, QueueThread& thread, Registry& registry)
    : service_(service), context_(context), thread_(thread), registry_(registry) {
  thread_.CallBegan();
}

SubscribeCall::~SubscribeCall() {
  thread_.StopWaiting(this);
  thread_.ClearDeadline(this);
  if (open_) {
    registry_.Remove(this);
    context_.open_streams.GiveBack(peer_address_);
  }
  if (record_ != nullptr) {
    context_.streams.Close(*record_);
    Log(LogLevel::kInfo, "subscription ended",
        {{"subscriber", request_.subscriber_name},
         {"peer", peer_},
         {"sequence", subscription_->position().sequence},
         {"delivered_events", record_->progress().delivered_events},
         {"reason", end_reason_}});
  }
  thread_.CallEnded(matched_);
}

void SubscribeCall::Operation::OnComplete(bool ok) {
  SubscribeCall* const call = call_;
  (call->*method_)(ok);
  call->EndOperation();
}

void SubscribeCall::EndOperation() {
  if (--operations_ == 0) delete this;
}

void SubscribeCall::OnRequested(bool ok) {
  if (!ok) {
    // The server shuts down. A call that never came gets no done tag.
    --operations_;
    return;
  }
  matched_ = true;
  thread_.CallMatched();
  Request(service_, context_, thread_, registry_);
  peer_ = server_context_.peer();
  last_sent_ = std::chrono::steady_clock::now();
  if (const absl::Status status = Open(); !status.ok()) Refuse(status);
}

bool SubscribeCall::HasItsRights() const {
  return caller_.RightsAs(request_.subscriber_name) ==
         context_.access.IdentifyAgain(caller_).RightsAs(request_.subscriber_name);
}

absl::Status SubscribeCall::Open() {
  caller_ = context_.access.Identify(server_context_);
  if (absl::Status known = CheckAuthentic(caller_); !known.ok()) return known;
  context_.input->CallBegan(peer_);
  if (context_.draining.load(std::memory_order_relaxed)) return DrainingError();
  v1::SubscribeRequest request;
  if (!grpc::SerializationTraits<v1::SubscribeRequest>::Deserialize(&request_bytes_, &request).ok()) {
    return absl::InvalidArgumentError("the request is not an encoded SubscribeRequest");
  }
  absl::StatusOr<CheckedSubscribe> checked = CheckSubscribe(request, context_.clock.Now());
  if (!checked.ok()) return checked.status();
  if (absl::Status allowed = NarrowSubscribe(caller_, *checked); !allowed.ok()) return allowed;
  request_ = *std::move(checked);
  peer_address_ = PeerAddress::OfGrpcPeer(peer_);
  if (const auto verdict = context_.open_streams.Take(peer_address_); verdict != PeerQuota::Verdict::kTaken) {
    context_.metrics.CountRefusedStream(verdict);
    return StreamLimitError(context_.open_streams, verdict, peer_address_);
  }
  open_ = true;
  registry_.Add(this);
  if (!NeedsStorage(request_)) {
    OnResolved(ResolveSubscribe(request_, context_.fan_out.last(), context_.log, context_.positions));
    return absl::OkStatus();
  }
  ++operations_;
  const bool queued = context_.history.Run([this](EventLog& log) {
    thread_.Post(
        [this, options = ResolveSubscribe(request_, context_.fan_out.last(), log, context_.positions)]() mutable {
          OnResolved(std::move(options));
          EndOperation();
        });
  });
  if (!queued) {
    --operations_;
    return absl::ResourceExhaustedError("too many reads of history wait; try again later");
  }
  return absl::OkStatus();
}

void SubscribeCall::OnResolved(absl::StatusOr<Subscription::Options> options) {
  if (finishing_) return;
  if (!options.ok()) {
    Refuse(options.status());
  } else if (going_away_.has_value()) {
    Refuse(*going_away_);
  } else {
    Start(*std::move(options));
  }
}

void SubscribeCall::Refuse(const absl::Status& status) {
  if (caller_.result() != CallerResult::kAuthentic || absl::IsPermissionDenied(status)) {
    context_.access.LogRefusal("Subscribe", caller_, peer_, status);
    Finish(status);
    return;
  }
  if (const auto left_out = context_.refusal_lines.Admit(context_.clock.Now()); left_out.has_value()) {
    // A request that is not well-formed has no name here.
    Log(LogLevel::kInfo, "subscription refused",
        {{"subscriber", request_.subscriber_name},
         {"peer", peer_},
         {"reason", ReasonText(status)},
         {"refusals_not_logged", *left_out}});
  }
  Finish(status);
}

void SubscribeCall::Start(Subscription::Options options) {
  log_id_ = options.log_id;
  const uint64_t start = options.start.sequence;
  subscription_.emplace(context_.fan_out, std::move(options));
  record_ = context_.streams.Open({request_.subscriber_name, peer_, request_.shown_filter, subscription_->filter(),
                                   subscription_->position(), context_.clock.Now()});
  delivered_ = &context_.metrics.DeliveredEvents(request_.subscriber_name);
  Log(LogLevel::kInfo, "subscription started",
      {{"subscriber", request_.subscriber_name}, {"peer", peer_}, {"sequence", start}});
  if (context_.max_stream_age != absl::InfiniteDuration()) {
    // Spread, so that streams which began together do not come back together.
    const absl::Duration age = context_.max_stream_age * absl::Uniform(absl::BitGen(), 0.9, 1.1);
    ends_at_ = std::chrono::steady_clock::now() + absl::ToChronoMilliseconds(age);
  }
  if (caller_.expires() != absl::InfiniteFuture()) {
    // The client comes back with the token that its file holds by then.
    const absl::Duration left =
        std::clamp(caller_.expires() - context_.clock.Now(), absl::ZeroDuration(), kLongestTokenStream);
    ends_at_ = std::min(ends_at_, std::chrono::steady_clock::now() +
                                      absl::ToChronoMilliseconds(left + absl::Milliseconds(1)));  // never before
  }

  const LogInfo info = context_.log.Info();
  v1::SubscribeResponse response;
  v1::Started& started = *response.mutable_started();
  *started.mutable_position() = Position();
  started.set_log_id(log_id_);
  started.set_first_sequence(info.first_sequence);
  // LATEST means "after started.last_sequence", so there it is the start itself.
  const auto* from = std::get_if<v1::StartFrom>(&request_.start);
  started.set_last_sequence(from != nullptr && *from == v1::START_FROM_LATEST ? start
                                                                              : std::max(start, info.last.sequence));
  *started.mutable_filter() = request_.shown_filter;
  ToProto(request_.heartbeat_interval, started.mutable_heartbeat_interval());
  started.set_server_instance(context_.server_instance);
  Write(response);
  thread_.SetDeadline(this, ends_at_);
}

void SubscribeCall::Pump() {
  if (writing_ || finishing_ || !subscription_.has_value()) return;
  // Here, too: a stream that always has something to write would never be idle at its deadline.
  if (!going_away_.has_value() && std::chrono::steady_clock::now() >= ends_at_) {
    GoAway("MAX_STREAM_AGE", kReconnectAfterAge);
    return;
  }
  if (going_away_.has_value()) {
    if (told_going_away_) {
      Finish(*going_away_);
      return;
    }
    told_going_away_ = true;
    v1::SubscribeResponse response;
    *response.mutable_going_away()->mutable_position() = Position();
    ToProto(reconnect_after_, response.mutable_going_away()->mutable_reconnect_after());
    response.mutable_going_away()->set_reason(ReasonOf(*going_away_)->reason());
    Write(response);
    return;
  }
  if (reading_history_) return;
  Subscription::Step step = subscription_->Next();
  auto* const batch = std::get_if<Subscription::Batch>(&step);
  record_->Examined(subscription_->position(), batch != nullptr ? batch->events : 0, subscription_->live());
  if (batch != nullptr) {
    delivered_->Increment(static_cast<double>(batch->events));
    Write(std::move(batch->message));
  } else if (std::holds_alternative<Subscription::CaughtUp>(step)) {
    v1::SubscribeResponse response;
    *response.mutable_caught_up()->mutable_position() = Position();
    Write(response);
  } else if (std::holds_alternative<Subscription::FellBehind>(step)) {
    v1::SubscribeResponse response;
    *response.mutable_fell_behind()->mutable_position() = Position();
    Write(response);
  } else if (std::holds_alternative<Subscription::ReadHistory>(step)) {
    ReadHistory();
  } else if (std::holds_alternative<Subscription::Wait>(step)) {
    thread_.WaitForPublication(this);
  } else {
    const auto& end = std::get<Subscription::End>(step);
    if (end.say_position) {
      WriteHeartbeat();
    } else {
      Finish(end.status);
    }
  }
}

void SubscribeCall::ReadHistory() {
  reading_history_ = true;
  ++operations_;
  context_.history.ReadPage(subscription_->position(), subscription_->filter(), subscription_->omit_personal_data(),
                            [this](absl::StatusOr<std::shared_ptr<const EncodedEvents>> page) {
                              thread_.Post([this, page = std::move(page)]() mutable {
                                OnHistory(std::move(page));
                                EndOperation();
                              });
                            });
}

void SubscribeCall::OnHistory(absl::StatusOr<std::shared_ptr<const EncodedEvents>> page) {
  reading_history_ = false;
  if (finishing_) return;
  subscription_->OnHistory(std::move(page));
  Pump();
}

void SubscribeCall::OnPublished() { Pump(); }

void SubscribeCall::OnWritten(bool ok) {
  writing_ = false;
  record_->WriteEnded();
  if (!ok) {
    // The peer is gone or the call was cancelled: the done tag follows.
    finishing_ = over_ = true;
    return;
  }
  last_sent_ = std::chrono::steady_clock::now();
  SetNextDeadline();
  Pump();
}

void SubscribeCall::OnFinished(bool) {
  over_ = true;
  if (record_ != nullptr) record_->WriteEnded();
}

void SubscribeCall::OnDone(bool) {
  finishing_ = over_ = true;
  thread_.StopWaiting(this);
  thread_.ClearDeadline(this);
}

void SubscribeCall::OnDeadline(TimePoint now) {
  if (over_ || cut_) return;
  if (writing_ || finishing_) {
    if (now - last_sent_ >= absl::ToChronoMilliseconds(context_.write_stall_timeout)) {
      Cut();
      return;
    }
  } else if (now >= ends_at_) {
    GoAway("MAX_STREAM_AGE", kReconnectAfterAge);
  } else if (subscription_.has_value() && now - last_sent_ >= absl::ToChronoMilliseconds(request_.heartbeat_interval)) {
    WriteHeartbeat();
  }
  SetNextDeadline();
}

void SubscribeCall::Cut() {
  cut_ = true;
  const uint64_t sequence = subscription_.has_value() ? subscription_->position().sequence : 0;
  end_reason_ = "SLOW_SUBSCRIBER";
  context_.metrics.SlowSubscriber();
  Log(LogLevel::kWarning, "subscriber stopped reading; its stream is cut",
      {{"subscriber", request_.subscriber_name}, {"peer", peer_}, {"sequence", sequence}, {"reason", end_reason_}});
  const std::string text =
      absl::StrCat("SLOW_SUBSCRIBER: the peer took nothing for ", absl::FormatDuration(context_.write_stall_timeout),
                   "; sent up to sequence ", sequence, "; handle events faster, or resume from the last position");
  // Nothing else passes a stream whose peer does not read; details cannot travel this way.
  grpc_call_cancel_with_status(server_context_.c_call(), GRPC_STATUS_RESOURCE_EXHAUSTED, text.c_str(), nullptr);
}

void SubscribeCall::SetNextDeadline() {
  if (over_) return;
  if (writing_ || finishing_) {
    thread_.SetDeadline(this, last_sent_ + absl::ToChronoMilliseconds(context_.write_stall_timeout));
  } else if (!going_away_.has_value()) {
    thread_.SetDeadline(this, std::min(ends_at_, last_sent_ + absl::ToChronoMilliseconds(request_.heartbeat_interval)));
  }
}

void SubscribeCall::Write(const v1::SubscribeResponse& response) {
  const std::string bytes = response.SerializeAsString();
  Write({grpc::Slice(bytes)});
}

void SubscribeCall::Write(std::vector<grpc::Slice> message) {
  const grpc::ByteBuffer buffer(message.data(), message.size());
  writing_ = true;
  last_sent_ = std::chrono::steady_clock::now();
  record_->WriteBegan(last_sent_);
  thread_.StopWaiting(this);
  writer_.Write(buffer, written_.Begin());
  SetNextDeadline();
}

void SubscribeCall::WriteHeartbeat() {
  v1::SubscribeResponse response;
  v1::Heartbeat& heartbeat = *response.mutable_heartbeat();
  *heartbeat.mutable_position() = Position();
  heartbeat.set_last_sequence(std::max(context_.fan_out.last().sequence, subscription_->position().sequence));
  *heartbeat.mutable_server_time() = refund_relay::ToProto(context_.clock.Now());
  Write(response);
}

void SubscribeCall::GoAway(const std::string& reason, absl::Duration reconnect_after) {
  if (finishing_ || going_away_.has_value()) return;
  reconnect_after_ = reconnect_after;
  going_away_ = reason == "DRAINING"
                    ? DrainingError()
                    : WithReason(absl::UnavailableError(absl::StrCat(reason, ": connect again and resume")), reason);
  Pump();
}

void SubscribeCall::Finish(const absl::Status& status) {
  if (finishing_) return;
  finishing_ = true;
  end_reason_ = status.ok() ? "the bound was reached" : ReasonText(status);
  thread_.StopWaiting(this);
  writer_.Finish(ToGrpcStatus(status), finished_.Begin());
  last_sent_ = std::chrono::steady_clock::now();
  if (record_ != nullptr) record_->WriteBegan(last_sent_);
  SetNextDeadline();
}

v1::Position SubscribeCall::Position() const { return refund_relay::ToProto(log_id_, subscription_->position()); }

}  // namespace refund_relay
