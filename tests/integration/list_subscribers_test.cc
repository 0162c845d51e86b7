// ListSubscribers and the subscribers' metrics over a real server: every stream and every name with a committed
// position.
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "refundrelay/v1/admin_service.grpc.pb.h"
#include "refundrelay/v1/rpc_status.pb.h"
#include "server/log/memory_event_log.h"
#include "tests/testing/forwarding_event_log.h"
#include "tests/testing/streaming_server.h"
#include "tests/testing/test_events.h"

namespace refund_relay {
namespace {

using refundrelay::v1::ListSubscribersRequest;
using refundrelay::v1::ListSubscribersResponse;
using refundrelay::v1::Subscriber;
using refundrelay::v1::SubscribeRequest;

std::vector<NewEvent> Events(uint64_t count) {
  std::vector<NewEvent> events;
  for (uint64_t i = 1; i <= count; ++i) events.push_back(MakeNewEvent(i));
  return events;
}

SubscribeRequest RequestOf(const std::string& name) {
  SubscribeRequest request = FromEarliest();
  request.set_subscriber_name(name);
  return request;
}

grpc::Status TryList(StreamingServer& server, const ListSubscribersRequest& request,
                     ListSubscribersResponse* response) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  return refundrelay::v1::AdminService::NewStub(server.NewChannel())->ListSubscribers(&context, request, response);
}

ListSubscribersResponse List(StreamingServer& server, const ListSubscribersRequest& request = {}) {
  ListSubscribersResponse response;
  const grpc::Status status = TryList(server, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

std::vector<std::string> NamesIn(const ListSubscribersResponse& response) {
  std::vector<std::string> names;
  for (const Subscriber& subscriber : response.subscribers()) names.push_back(subscriber.subscriber_name());
  return names;
}

TEST(ListSubscribersTest, AStreamIsShownWithAllThatIsKnownOfIt) {
  StreamingServer server({.stored = Events(4)});
  const auto stub = server.NewStub();
  SubscribeRequest request = RequestOf("ledger");
  request.mutable_filter()->add_event_names("refunded.pass");
  request.mutable_filter()->add_client_ids("client-b");
  request.mutable_filter()->add_client_ids("client-a");
  StreamReader stream(*stub, request);
  const auto started = stream.Read().started();
  EXPECT_EQ(stream.Read().batch().deliveries_size(), 4);
  EXPECT_TRUE(stream.Read().has_caught_up());
  server.CommitAndWait("ledger", 2, started.filter());

  const ListSubscribersResponse listed = List(server);
  ASSERT_EQ(listed.subscribers_size(), 1);
  EXPECT_EQ(listed.next_page_token(), "");
  const Subscriber& ledger = listed.subscribers(0);
  EXPECT_EQ(ledger.subscriber_name(), "ledger");
  EXPECT_EQ(ledger.state(), refundrelay::v1::SUBSCRIBER_STATE_LIVE);
  EXPECT_EQ(ledger.state_detail(), "");
  EXPECT_TRUE(absl::StartsWith(ledger.peer(), "ipv4:127.0.0.1:")) << ledger.peer();
  EXPECT_EQ(ledger.filter().SerializeAsString(), started.filter().SerializeAsString());
  EXPECT_EQ(ledger.filter().client_ids_size(), 2);
  EXPECT_EQ(ledger.position().SerializeAsString(), server.PositionAt(4).SerializeAsString());
  EXPECT_EQ(ledger.committed_position().SerializeAsString(), server.PositionAt(2).SerializeAsString());
  EXPECT_EQ(ledger.lag_events(), 0u);
  EXPECT_FALSE(ledger.has_lag());
  EXPECT_TRUE(ledger.has_connected_at());
}

TEST(ListSubscribersTest, ANameWithoutAStreamStaysWithItsLag) {
  StreamingServer server({.stored = Events(5)});
  refundrelay::v1::EventFilter filter;
  filter.add_event_names("refunded.bundle");
  server.CommitAndWait("dead", 3, filter);
  server.CommitAndWait("up-to-date", 5);
  const ListSubscribersResponse listed = List(server);
  ASSERT_EQ(NamesIn(listed), (std::vector<std::string>{"dead", "up-to-date"}));
  const Subscriber& dead = listed.subscribers(0);
  EXPECT_EQ(dead.state(), refundrelay::v1::SUBSCRIBER_STATE_DISCONNECTED);
  EXPECT_TRUE(absl::StrContains(dead.state_detail(), "last committed at 20")) << dead.state_detail();
  EXPECT_EQ(dead.peer(), "");
  EXPECT_EQ(dead.filter().SerializeAsString(), filter.SerializeAsString());
  EXPECT_EQ(dead.position().SerializeAsString(), server.PositionAt(3).SerializeAsString());
  EXPECT_EQ(dead.committed_position().SerializeAsString(), server.PositionAt(3).SerializeAsString());
  EXPECT_EQ(dead.lag_events(), 2u);
  EXPECT_FALSE(dead.has_connected_at());
  ASSERT_TRUE(dead.has_lag());
  const absl::Duration lag = absl::Seconds(dead.lag().seconds()) + absl::Nanoseconds(dead.lag().nanos());
  const absl::StatusOr<absl::Time> stored_at = server.log().StoredAt(4);
  ASSERT_TRUE(stored_at.ok());
  EXPECT_GT(lag, absl::ZeroDuration());
  EXPECT_LE(lag, absl::Now() - *stored_at);
  EXPECT_EQ(listed.subscribers(1).lag_events(), 0u);
  EXPECT_FALSE(listed.subscribers(1).has_lag());
}

TEST(ListSubscribersTest, WhoDoesNotReadIsSlowAndSaysSinceWhen) {
  StreamingServer server({.stored = MakeLargeEvents(50)});
  const auto stub = server.NewStub();
  StreamReader stream(*stub, RequestOf("asleep"));
  EXPECT_TRUE(stream.Read().has_started());
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  Subscriber asleep;
  do {
    const ListSubscribersResponse listed = List(server);
    ASSERT_EQ(listed.subscribers_size(), 1);
    asleep = listed.subscribers(0);
  } while (asleep.state() != refundrelay::v1::SUBSCRIBER_STATE_SLOW && absl::Now() < deadline);
  EXPECT_EQ(asleep.state(), refundrelay::v1::SUBSCRIBER_STATE_SLOW);
  EXPECT_TRUE(absl::StrContains(asleep.state_detail(), "has not taken the last message since 20"))
      << asleep.state_detail();
  EXPECT_TRUE(absl::StrContains(asleep.state_detail(), "cut after 30s")) << asleep.state_detail();
  EXPECT_GT(asleep.lag_events(), 0u);
  EXPECT_TRUE(asleep.has_lag());
  while (stream.Read().batch().position().sequence() < 50) {
  }
  EXPECT_TRUE(stream.Read().has_caught_up());
  EXPECT_EQ(List(server).subscribers(0).state(), refundrelay::v1::SUBSCRIBER_STATE_LIVE);
}

TEST(ListSubscribersTest, PagesGoByNameThenAgeAndEndWhereTheListEnds) {
  StreamingServer server({.stored = Events(3)});
  std::vector<std::unique_ptr<refundrelay::v1::RefundEventService::Stub>> stubs;
  std::vector<std::unique_ptr<StreamReader>> streams;
  for (const char* name : {"c", "b", "b", "d", "b"}) {
    stubs.push_back(server.NewStub());
    streams.push_back(std::make_unique<StreamReader>(*stubs.back(), RequestOf(name)));
    EXPECT_TRUE(streams.back()->Read().has_started());
  }
  server.CommitAndWait("a", 1);
  server.CommitAndWait("b", 1);
  server.CommitAndWait("cc", 1);
  const ListSubscribersResponse all = List(server);
  EXPECT_EQ(NamesIn(all), (std::vector<std::string>{"a", "b", "b", "b", "c", "cc", "d"}));
  for (int i = 1; i <= 2; ++i) {
    const auto at = [&](int n) { return all.subscribers(n).connected_at(); };
    EXPECT_LE(absl::FromUnixSeconds(at(i).seconds()) + absl::Nanoseconds(at(i).nanos()),
              absl::FromUnixSeconds(at(i + 1).seconds()) + absl::Nanoseconds(at(i + 1).nanos()));
  }

  ListSubscribersRequest request;
  request.set_page_size(2);
  std::vector<std::string> paged;
  int pages = 0;
  do {
    const ListSubscribersResponse page = List(server, request);
    EXPECT_LE(page.subscribers_size(), 2);
    for (const Subscriber& subscriber : page.subscribers()) {
      paged.push_back(absl::StrCat(subscriber.subscriber_name(), subscriber.peer()));
    }
    request.set_page_token(page.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(pages, 4);
  std::vector<std::string> unpaged;
  for (const Subscriber& subscriber : all.subscribers()) {
    unpaged.push_back(absl::StrCat(subscriber.subscriber_name(), subscriber.peer()));
  }
  EXPECT_EQ(paged, unpaged);

  ListSubscribersRequest only_b;
  only_b.set_subscriber_name("b");
  EXPECT_EQ(NamesIn(List(server, only_b)), (std::vector<std::string>{"b", "b", "b"}));
}

TEST(ListSubscribersTest, AWrongRequestNamesTheField) {
  StreamingServer server({});
  ListSubscribersRequest request;
  request.set_subscriber_name("Not A Name");
  request.set_page_size(1001);
  request.set_page_token("made up");
  ListSubscribersResponse response;
  const grpc::Status status = TryList(server, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  for (const char* field : {"subscriber_name", "page_size", "page_token"}) {
    EXPECT_TRUE(absl::StrContains(status.error_message(), field)) << status.error_message();
  }
}

TEST(SubscriberMetricsTest, ADeadSubscriberKeepsItsSeries) {
  StreamingServer server({.stored = Events(5)});
  server.CommitAndWait("dead", 3);
  EXPECT_EQ(server.Metric("refund_relay_subscriber_connected", "dead"), 0);
  EXPECT_EQ(server.Metric("refund_relay_subscriber_lag_events", "dead"), 2);
  EXPECT_GT(server.Metric("refund_relay_subscriber_lag_seconds", "dead"), 0);
  EXPECT_EQ(server.Metric("refund_relay_delivered_events_total", "dead"), 0);
  server.CommitAndWait("dead", 5);
  EXPECT_EQ(server.Metric("refund_relay_subscriber_lag_events", "dead"), 0);
  EXPECT_EQ(server.Metric("refund_relay_subscriber_lag_seconds", "dead"), 0);
}

TEST(SubscriberMetricsTest, TheSlowestOfItsStreamsIsShown) {
  StreamingServer server({.stored = MakeLargeEvents(50)});
  const auto stub = server.NewStub();
  server.CommitAndWait("ledger", 50);  // what is connected is not behind because of what it commits
  StreamReader asleep(*stub, RequestOf("ledger"));
  EXPECT_TRUE(asleep.Read().has_started());
  SubscribeRequest latest = RequestOf("ledger");
  latest.set_start_from(refundrelay::v1::START_FROM_LATEST);
  const auto other_stub = server.NewStub();
  StreamReader live(*other_stub, latest);
  EXPECT_TRUE(live.Read().has_started());
  EXPECT_EQ(server.Metric("refund_relay_subscriber_connected", "ledger"), 2);
  EXPECT_GT(server.Metric("refund_relay_subscriber_lag_events", "ledger"), 30);
  EXPECT_GT(server.Metric("refund_relay_subscriber_lag_seconds", "ledger"), 0);
}

// Storage that does not answer for as long as the test wants.
class HangingLog final : public ForwardingEventLog {
 public:
  using ForwardingEventLog::ForwardingEventLog;

  absl::StatusOr<absl::Time> StoredAt(uint64_t sequence) override {
    absl::MutexLock lock(&mutex_);
    ++waiting_;
    mutex_.Await(absl::Condition(this, &HangingLog::Answers));
    return inner().StoredAt(sequence);
  }
  void Hang(bool hang) {
    absl::MutexLock lock(&mutex_);
    hangs_ = hang;
  }
  int waiting() {
    absl::MutexLock lock(&mutex_);
    return waiting_;
  }

 private:
  bool Answers() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !hangs_; }

  absl::Mutex mutex_;
  bool hangs_ ABSL_GUARDED_BY(mutex_) = false;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
};

TEST(SubscriberMetricsTest, AScrapeDoesNotWaitForStorageThatHangs) {
  auto memory = std::make_unique<MemoryEventLog>();
  Storage storage;
  storage.positions = &memory->positions();
  storage.quarantine = &memory->quarantine();
  auto hanging = std::make_unique<HangingLog>(std::move(memory));
  HangingLog* const log = hanging.get();
  storage.log = std::move(hanging);
  StreamingServer::Options options;
  options.storage = std::move(storage);
  options.stored = Events(5);
  StreamingServer server(std::move(options));
  server.CommitAndWait("dead", 2);
  const double before = server.Metric("refund_relay_subscriber_lag_seconds", "dead");
  EXPECT_GT(before, 0);
  server.CommitAndWait("dead", 3);
  log->Hang(true);
  // It would not return before storage does, but for its patience.
  EXPECT_GE(server.Metric("refund_relay_subscriber_lag_seconds", "dead"), before) << "the last one that was known";
  EXPECT_EQ(server.Metric("refund_relay_subscriber_lag_events", "dead"), 2);
  const int waiting = log->waiting();
  EXPECT_GE(server.Metric("refund_relay_subscriber_lag_seconds", "dead"), before);
  EXPECT_EQ(log->waiting(), waiting) << "scrapes must not pile up look-ups";
  log->Hang(false);
  EXPECT_GT(server.Metric("refund_relay_subscriber_lag_seconds", "dead"), 0);
}

TEST(SubscriberMetricsTest, NamesBeyondTheLimitAreCountedTogether) {
  StreamingServer server({.stored = Events(3)});
  for (size_t i = 0; i < RpcMetrics::kMaxSubscriberLabels; ++i) server.CommitAndWait(absl::StrCat("name-", i), 3);
  EXPECT_EQ(server.Metric("refund_relay_subscriber_lag_events", "name-0"), 0);
  server.CommitAndWait("one-more", 1);
  server.CommitAndWait("and-another", 2);
  EXPECT_EQ(server.Metric("refund_relay_subscriber_lag_events", "other"), 2) << "of the one that is furthest behind";
  size_t series = 0;
  for (const auto& family : server.metrics().Collect()) {
    if (family.name == "refund_relay_subscriber_connected") series = family.metric.size();
  }
  EXPECT_EQ(series, RpcMetrics::kMaxSubscriberLabels + 1);
}

}  // namespace
}  // namespace refund_relay
