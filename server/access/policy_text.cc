#include "server/access/policy_text.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace refund_relay {
namespace {

std::string Counted(size_t count, absl::string_view word) {
  return absl::StrCat(count, " ", word, count == 1 ? "" : "s");
}

std::string KnownBy(const SubscriberPolicy& subscriber) {
  std::vector<std::string> ways;
  if (!subscriber.certificates.empty()) {
    ways.push_back(absl::StrCat("a client certificate with the name ", absl::StrJoin(subscriber.certificates, " or ")));
  }
  if (!subscriber.token_hashes.empty()) ways.push_back(Counted(subscriber.token_hashes.size(), "bearer token"));
  if (!subscriber.service_accounts.empty()) {
    ways.push_back(
        absl::StrCat("a token of the Kubernetes service account ", absl::StrJoin(subscriber.service_accounts, " or ")));
  }
  if (ways.empty()) return "nobody can be it: it has neither certificates nor token_hashes nor service_accounts";
  return absl::StrCat("is known by ", absl::StrJoin(ways, ", or by "));
}

std::string Seen(const EventRights& rights) {
  if (rights.all) return "sees every event, also of types that nobody knows yet";
  if (rights.event_names.empty()) return "sees no event (`events` is missing)";
  return absl::StrCat("sees the events ", absl::StrJoin(rights.event_names, ", "), " and no others");
}

bool SharesIdentity(const SubscriberPolicy& a, const SubscriberPolicy& b) {
  const auto shares = [](const auto& some, const auto& others) {
    return std::any_of(some.begin(), some.end(),
                       [&](const auto& one) { return std::find(others.begin(), others.end(), one) != others.end(); });
  };
  return shares(a.certificates, b.certificates) || shares(a.token_hashes, b.token_hashes) ||
         shares(a.service_accounts, b.service_accounts);
}

}  // namespace

std::vector<std::string> DescribeSubscriber(const AccessPolicy& policy, const SubscriberPolicy& subscriber) {
  std::vector<std::string> text = {KnownBy(subscriber), Seen(subscriber.events)};
  text.emplace_back(
      subscriber.events.personal_data
          ? "sees personal data: user, client_info, extra_fields, webhook_sha256"
          : "does not see personal data: user, client_info, extra_fields and webhook_sha256 are withheld");
  text.emplace_back("subscribes, commits and gets positions under its own name");
  const std::pair<bool, absl::string_view> rights[] = {
      {subscriber.look_up_by_refund, "look events up by refund"},
      {subscriber.commit_for_others, "commit and get the positions of other names"},
      {subscriber.administer, subscriber.events.personal_data
                                  ? "use AdminService, and see the bodies of quarantined webhooks, of every event type"
                                  : "use AdminService, without the bodies of quarantined webhooks"}};
  for (const auto& [granted, what] : rights) {
    text.push_back(absl::StrCat(granted ? "may " : "may not ", granted ? what : what.substr(0, what.find(','))));
  }
  for (const SubscriberPolicy& other : policy.subscribers) {
    if (other.name != subscriber.name && SharesIdentity(subscriber, other)) {
      text.push_back(absl::StrCat("shares an identity with ", other.name,
                                  ": who has it may use both names, and sees in look-ups what either may see"));
    }
  }
  return text;
}

}  // namespace refund_relay
