// Encoded events: the bytes are those that protobuf itself would write.
#include "server/stream/encoded_events.h"

#include <google/protobuf/util/message_differencer.h>

#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "refundrelay/v1/refund_event_service.pb.h"
#include "tests/testing/test_events.h"

namespace refund_relay {
namespace {

using refundrelay::v1::RefundEvent;
using refundrelay::v1::SubscribeResponse;

// Keeps what StoredEvents point to.
class Source {
 public:
  void Add(uint64_t sequence, absl::Time stored_at) {
    events_.push_back(MakeNewEvent(sequence));
    sequences_.push_back(sequence);
    times_.push_back(stored_at);
  }

  std::vector<StoredEvent> Stored() const {
    std::vector<StoredEvent> stored;
    for (size_t i = 0; i < events_.size(); ++i) {
      const NewEvent& event = events_[i];
      stored.push_back({sequences_[i], times_[i], event.event_id, event.event_name, event.client_id, event.event});
    }
    return stored;
  }

 private:
  std::vector<NewEvent> events_;
  std::vector<uint64_t> sequences_;
  std::vector<absl::Time> times_;
};

SubscribeResponse Parse(const std::vector<grpc::Slice>& message) {
  std::string bytes;
  for (const grpc::Slice& slice : message) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  SubscribeResponse response;
  EXPECT_TRUE(response.ParseFromString(bytes));
  EXPECT_EQ(response.SerializeAsString(), bytes) << "not the bytes that Protobuf itself would write";
  return response;
}

TEST(EncodedEventsTest, ComposedBatchIsWhatProtobufWouldWrite) {
  Source source;
  source.Add(7, absl::FromUnixMicros(1'709'187'681'000'001));
  source.Add(8, absl::FromUnixSeconds(1'709'187'682));  // no nanos
  source.Add(9, absl::UnixEpoch());                     // an empty timestamp
  const auto encoded = EncodeEvents(6, {9, EventHash("x")}, true, source.Stored());
  BatchComposer composer;
  composer.AddRun(*encoded, 0, 3);
  EXPECT_EQ(composer.events(), 3u);
  const SubscribeResponse response = Parse(composer.Finish(6, true, "log-1", {9, 42}));
  ASSERT_TRUE(response.has_batch());
  EXPECT_EQ(response.batch().previous_sequence(), 6u);
  EXPECT_TRUE(response.batch().live());
  EXPECT_EQ(response.batch().position().log_id(), "log-1");
  EXPECT_EQ(response.batch().position().sequence(), 9u);
  EXPECT_EQ(response.batch().position().event_hash(), 42u);
  ASSERT_EQ(response.batch().deliveries_size(), 3);
  EXPECT_EQ(response.batch().deliveries(0).sequence(), 7u);
  EXPECT_EQ(response.batch().deliveries(0).stored_at().seconds(), 1'709'187'681);
  EXPECT_EQ(response.batch().deliveries(0).stored_at().nanos(), 1'000);
  EXPECT_EQ(response.batch().deliveries(1).stored_at().nanos(), 0);
  EXPECT_EQ(response.batch().deliveries(2).stored_at().seconds(), 0);
  EXPECT_TRUE(
      google::protobuf::util::MessageDifferencer::Equals(response.batch().deliveries(2).event(), MakeRefundEvent(9)));
}

TEST(EncodedEventsTest, ZeroValuesAreLeftOut) {
  Source source;
  source.Add(1, absl::FromUnixSeconds(5));
  const auto encoded = EncodeEvents(0, {1, 0}, false, source.Stored());
  BatchComposer composer;
  composer.AddRun(*encoded, 0, 1);
  const SubscribeResponse response = Parse(composer.Finish(0, false, "", {0, 0}));
  EXPECT_EQ(response.batch().previous_sequence(), 0u);
  EXPECT_FALSE(response.batch().live());
  EXPECT_TRUE(response.batch().has_position());
}

TEST(EncodedEventsTest, RunsOfSeveralCommitsJoinInOneBatch) {
  Source first;
  for (uint64_t i = 1; i <= 5; ++i) first.Add(i, absl::FromUnixSeconds(100));
  Source second;
  second.Add(6, absl::FromUnixSeconds(101));
  const uint64_t huge = std::numeric_limits<uint64_t>::max();
  second.Add(huge, absl::FromUnixSeconds(102));
  const auto a = EncodeEvents(0, {5, 1}, true, first.Stored());
  const auto b = EncodeEvents(5, {huge, 1}, true, second.Stored());
  BatchComposer composer;
  composer.AddRun(*a, 0, 2);
  composer.AddRun(*a, 4, 5);
  composer.AddRun(*b, 1, 2);
  const SubscribeResponse response = Parse(composer.Finish(huge, true, "log", {huge, huge}));
  std::vector<uint64_t> sequences;
  for (const auto& delivery : response.batch().deliveries()) sequences.push_back(delivery.sequence());
  EXPECT_EQ(sequences, (std::vector<uint64_t>{1, 2, 5, huge}));
  EXPECT_TRUE(composer.empty()) << "Finish must reset the composer";
}

TEST(EncodedEventsTest, WithoutPersonalDataOnlyThatIsGone) {
  Source source;
  for (uint64_t i = 1; i <= 3; ++i) source.Add(i, absl::FromUnixMicros(1'709'187'681'000'001));
  const auto encoded = EncodeEvents(0, {3, 9}, true, source.Stored());
  const auto omitted = OmitPersonalData(*encoded);
  EXPECT_EQ(omitted->from, 0u);
  EXPECT_EQ(omitted->last, (LogPosition{3, 9}));
  BatchComposer composer;
  composer.AddRun(*omitted, 0, 3);
  const SubscribeResponse response = Parse(composer.Finish(0, true, "log", {3, 9}));
  ASSERT_EQ(response.batch().deliveries_size(), 3);
  for (int i = 0; i < 3; ++i) {
    RefundEvent expected = MakeRefundEvent(static_cast<uint64_t>(i) + 1);
    expected.clear_user();
    expected.clear_client_info();
    expected.clear_webhook_sha256();
    const auto& delivery = response.batch().deliveries(i);
    EXPECT_EQ(delivery.sequence(), static_cast<uint64_t>(i) + 1);
    EXPECT_EQ(delivery.stored_at().nanos(), 1'000);
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(delivery.event(), expected));
  }
}

TEST(EncodedEventsTest, AnEmptyRangeHasNoBytes) {
  const auto encoded = EncodeEvents(3, {9, 1}, false, {});
  EXPECT_TRUE(encoded->entries.empty());
  EXPECT_EQ(OmitPersonalData(*encoded)->last.sequence, 9u);
}

}  // namespace
}  // namespace refund_relay
