#include "server/rpc/subscriber_list.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/rpc/page_token.h"
#include "server/rpc/position_check.h"
#include "server/rpc/status_table.h"
#include "server/rpc/stored_times.h"
#include "server/rpc/subscribe_request.h"

namespace refund_relay {
namespace {

namespace v1 = refundrelay::v1;

constexpr size_t kMostPageBytes = 3 << 20;  // gRPC clients take 4 MiB by default

// An entry's place in the list. A name without a stream has the number 0.
using Place = std::pair<std::string, uint64_t>;

struct Entry {
  StreamRegistry::Record stream;                 // null: DISCONNECTED
  const CommittedPosition* committed = nullptr;  // of its name; may be null
};

std::string PlaceText(const Place& place) { return absl::StrCat(place.first, "/", place.second); }

std::optional<Place> PlaceFromText(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  Place place;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[1], &place.second)) return std::nullopt;
  place.first = parts[0];
  return place;
}

// What one page is made from; looks up each position's time once.
class Page {
 public:
  Page(const SubscriberSources& sources, absl::Time now, EventLog& log)
      : sources_(sources), now_(now), steady_now_(std::chrono::steady_clock::now()), log_(log), info_(log.Info()) {}

  v1::Subscriber ToProto(const std::string& name, const Entry& entry) {
    v1::Subscriber subscriber;
    subscriber.set_subscriber_name(name);
    LogPosition position;
    if (entry.stream != nullptr) {
      const StreamProgress progress = entry.stream->progress();
      position = progress.position;
      subscriber.set_peer(entry.stream->identity().peer);
      *subscriber.mutable_filter() = entry.stream->identity().shown_filter;
      *subscriber.mutable_connected_at() = refund_relay::ToProto(entry.stream->identity().connected_at);
      DescribeState(progress, subscriber);
    } else {
      position = entry.committed->position;
      subscriber.mutable_filter()->ParseFromString(entry.committed->filter);
      subscriber.set_state(v1::SUBSCRIBER_STATE_DISCONNECTED);
      subscriber.set_state_detail(
          absl::StrCat("no stream; its position was last committed at ", Text(entry.committed->committed_at)));
    }
    *subscriber.mutable_position() = refund_relay::ToProto(info_.log_id, position);
    if (entry.committed != nullptr) {
      *subscriber.mutable_committed_position() = refund_relay::ToProto(info_.log_id, entry.committed->position);
    }
    SetLag(position.sequence, subscriber);
    return subscriber;
  }

 private:
  static std::string Text(absl::Time time) {
    return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixSeconds(absl::ToUnixSeconds(time)),
                            absl::UTCTimeZone());
  }

  void DescribeState(const StreamProgress& progress, v1::Subscriber& subscriber) const {
    subscriber.set_state(progress.live ? v1::SUBSCRIBER_STATE_LIVE : v1::SUBSCRIBER_STATE_CATCHING_UP);
    if (!progress.waiting_since.has_value()) return;
    const absl::Duration waited = absl::FromChrono(steady_now_ - *progress.waiting_since);
    if (waited < kSlowAfter) return;
    subscriber.set_state(v1::SUBSCRIBER_STATE_SLOW);
    subscriber.set_state_detail(
        absl::StrCat("its peer has not taken the last message since ", Text(now_ - waited), ", for ",
                     absl::FormatDuration(absl::Trunc(waited, absl::Seconds(1))), "; the stream is cut after ",
                     absl::FormatDuration(sources_.write_stall_timeout), " (--write_stall_timeout)"));
  }

  void SetLag(uint64_t sequence, v1::Subscriber& subscriber) {
    if (sequence >= info_.last.sequence) return;
    // What retention has deleted is not waited for any more: it is lost, which is told.
    const uint64_t before_first = info_.first_sequence - 1;
    subscriber.set_lag_events(info_.last.sequence - std::max(sequence, before_first));
    if (sequence < before_first) {
      const std::string expired =
          absl::StrCat("retention has deleted events up to sequence ", before_first, " that lie after its position");
      subscriber.set_state_detail(
          subscriber.state_detail().empty() ? expired : absl::StrCat(subscriber.state_detail(), "; ", expired));
    }
    const auto [found, is_new] = oldest_after_.try_emplace(sequence);
    if (is_new) found->second = OldestStoredAfter(log_, sequence);
    if (!found->second.has_value()) return;
    const absl::Duration lag = std::max(absl::ZeroDuration(), now_ - *found->second);
    subscriber.mutable_lag()->set_seconds(absl::ToInt64Seconds(lag));
    subscriber.mutable_lag()->set_nanos(
        static_cast<int32_t>(absl::ToInt64Nanoseconds(lag - absl::Trunc(lag, absl::Seconds(1)))));
  }

  const SubscriberSources& sources_;
  const absl::Time now_;
  const std::chrono::steady_clock::time_point steady_now_;
  EventLog& log_;
  const LogInfo info_;
  std::map<uint64_t, std::optional<absl::Time>> oldest_after_;
};

// Everything that is to be listed after `after`, in order. Refers to `committed`.
std::map<Place, Entry> EntriesAfter(const Place& after, const std::string& only_name,
                                    const std::vector<StreamRegistry::Record>& streams,
                                    const std::vector<CommittedPosition>& committed) {
  std::map<std::string, const CommittedPosition*> without_stream;
  std::map<std::string, const CommittedPosition*> by_name;
  for (const CommittedPosition& position : committed) by_name.emplace(position.subscriber_name, &position);
  without_stream = by_name;
  std::map<Place, Entry> entries;
  const auto add = [&](Place place, Entry entry) {
    if (place > after && (only_name.empty() || place.first == only_name)) entries.emplace(std::move(place), entry);
  };
  for (const StreamRegistry::Record& stream : streams) {
    const std::string& name = stream->identity().subscriber_name;
    const auto found = by_name.find(name);
    add({name, stream->number()}, {stream, found != by_name.end() ? found->second : nullptr});
    without_stream.erase(name);
  }
  for (const auto& [name, position] : without_stream) add({name, 0}, {nullptr, position});
  return entries;
}

}  // namespace

absl::StatusOr<v1::ListSubscribersResponse> ListSubscribers(const v1::ListSubscribersRequest& request,
                                                            const SubscriberSources& sources, absl::Time now,
                                                            EventLog& log) {
  RequestViolations violations;
  if (!request.subscriber_name().empty() && !IsSubscriberName(request.subscriber_name())) {
    violations.Add("subscriber_name", "must be 1 to 63 characters of a-z, 0-9 and `-`, or empty for all");
  }
  const uint32_t page_size = CheckPageSize(request.page_size(), violations);
  const std::optional<std::string> token = ReadPageToken(request, violations);
  std::optional<Place> after = Place();  // before the first
  if (token.has_value() && !token->empty()) {
    after = PlaceFromText(*token);
    if (!after.has_value()) violations.Add("page_token", "is not of this list");
  }
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;

  // The streams first: a name whose stream begins in between is then shown as DISCONNECTED, not left out.
  const std::vector<StreamRegistry::Record> streams = sources.streams.List();
  const std::vector<CommittedPosition> committed = sources.positions.List();
  const std::map<Place, Entry> entries = EntriesAfter(*after, request.subscriber_name(), streams, committed);
  Page page(sources, now, log);
  v1::ListSubscribersResponse response;
  size_t bytes = 0;
  Place last;
  for (const auto& [place, entry] : entries) {
    if (static_cast<uint32_t>(response.subscribers_size()) == page_size || bytes >= kMostPageBytes) {
      response.set_next_page_token(MakePageToken(request, PlaceText(last)));
      break;
    }
    v1::Subscriber subscriber = page.ToProto(place.first, entry);
    bytes += subscriber.ByteSizeLong();
    *response.add_subscribers() = std::move(subscriber);
    last = place;
  }
  return response;
}

}  // namespace refund_relay
