// AccessPolicy: which subscribers there are, how each is known, and what it may see and do.
#ifndef REFUND_RELAY_SERVER_ACCESS_ACCESS_POLICY_H_
#define REFUND_RELAY_SERVER_ACCESS_ACCESS_POLICY_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/translate/sha256.h"

namespace refund_relay {

// Which events a subscriber may see, and whether with their personal data. A value; denies by default.
struct EventRights {
  bool all = false;                      // every event, also of names that nobody knows yet
  std::vector<std::string> event_names;  // else these; sorted, types resolved to their names
  bool personal_data = false;

  bool Sees(std::string_view event_name) const;

  friend bool operator==(const EventRights&, const EventRights&) = default;
};

// One subscriber name. Everything that is not granted is denied.
struct SubscriberPolicy {
  std::string name;  // `[a-z0-9-]{1,63}`
  // Whoever has one of these is it; several names may share one.
  std::vector<std::string> certificates;      // names of a client certificate, `dns:NAME` or `uri:URI`
  std::vector<Sha256Digest> token_hashes;     // of bearer tokens
  std::vector<std::string> service_accounts;  // of Kubernetes, `namespace/name`
  EventRights events;
  bool administer = false;         // use AdminService
  bool commit_for_others = false;  // commit and get the positions of other names
  bool look_up_by_refund = false;  // ListEvents by refund_id and payment_gateway_refund_id

  friend bool operator==(const SubscriberPolicy&, const SubscriberPolicy&) = default;
};

// What --access_policy_file says; docs/access-policy.schema.json is its form. A value.
struct AccessPolicy {
  std::vector<SubscriberPolicy> subscribers;  // by name

  friend bool operator==(const AccessPolicy&, const AccessPolicy&) = default;
};

// What a caller sees where no name stands in its request: what any of its names may see. An event's personal data is
// shown if a name that may see the event has that right. A value.
class EventView {
 public:
  // Everything, as without a policy.
  static EventView Everything() { return EventView({EventRights{true, {}, true}}); }

  explicit EventView(std::vector<EventRights> rights) : rights_(std::move(rights)) {}

  bool Sees(std::string_view event_name) const;
  bool SeesPersonalData(std::string_view event_name) const;
  // Every event there is or will be.
  bool SeesAll() const;
  // The names of the events that are seen, sorted; of use only if not all are. Empty: none is.
  std::vector<std::string> EventNames() const;

 private:
  std::vector<EventRights> rights_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_ACCESS_ACCESS_POLICY_H_
