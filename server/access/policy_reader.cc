#include "server/access/policy_reader.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/access/bearer_token.h"
#include "server/access/json_tree.h"
#include "server/translate/event_names.h"
#include "server/translate/json_pointer.h"

namespace refund_relay {
namespace {

using refundrelay::v1::RefundEventType;

constexpr size_t kMostProblems = 20;
constexpr size_t kMostBytes = 1 << 20;  // what the server reads of a watched file
constexpr size_t kMostItems = 64;
constexpr size_t kMostCertificateBytes = 2048;
constexpr size_t kMostEventNameBytes = 128;
constexpr size_t kMostNameBytes = 63;
constexpr size_t kMostNamespaceBytes = 63;
constexpr size_t kMostServiceAccountBytes = 253;
constexpr std::string_view kTypePrefix = "REFUND_EVENT_TYPE_";

bool IsOneOf(char c, std::string_view others) {
  return absl::ascii_islower(static_cast<unsigned char>(c)) || absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
         others.find(c) != std::string_view::npos;
}

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= kMostNameBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return IsOneOf(c, "-"); });
}

bool IsUri(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) return false;
  const std::string_view scheme = text.substr(0, colon);
  return absl::ascii_islower(static_cast<unsigned char>(scheme[0])) &&
         std::all_of(scheme.begin(), scheme.end(), [](char c) { return IsOneOf(c, "+.-"); }) &&
         std::all_of(text.begin() + static_cast<std::ptrdiff_t>(colon) + 1, text.end(),
                     [](char c) { return c > ' ' && c <= '~'; });
}

bool IsCertificateName(std::string_view text) {
  if (text.size() > kMostCertificateBytes) return false;
  if (text.substr(0, 4) == "uri:") return IsUri(text.substr(4));
  return text.substr(0, 4) == "dns:" && text.size() > 4 &&
         std::all_of(text.begin() + 4, text.end(), [](char c) { return IsOneOf(c, ".-"); });
}

bool StartsAndEndsInAlphanumeric(std::string_view text) {
  return !text.empty() && IsOneOf(text.front(), "") && IsOneOf(text.back(), "");
}

// Names as Kubernetes makes them: a namespace is a label, a service account's name a subdomain.
bool IsServiceAccount(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view account_namespace = text.substr(0, slash);
  const std::string_view name = text.substr(slash + 1);
  return account_namespace.size() <= kMostNamespaceBytes && name.size() <= kMostServiceAccountBytes &&
         StartsAndEndsInAlphanumeric(account_namespace) && StartsAndEndsInAlphanumeric(name) &&
         std::all_of(account_namespace.begin(), account_namespace.end(), [](char c) { return IsOneOf(c, "-"); }) &&
         std::all_of(name.begin(), name.end(), [](char c) { return IsOneOf(c, ".-"); });
}

bool IsEventName(std::string_view text) {
  return text.substr(0, kEventNamePrefix.size()) == kEventNamePrefix && text.size() > kEventNamePrefix.size() &&
         text.size() <= kMostEventNameBytes && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-';
         });
}

// `pass` for REFUND_EVENT_TYPE_PASS; UNSPECIFIED if there is no such type.
RefundEventType TypeOfWord(std::string_view word) {
  RefundEventType type = refundrelay::v1::REFUND_EVENT_TYPE_UNSPECIFIED;
  if (!std::all_of(word.begin(), word.end(), [](char c) { return IsOneOf(c, "_"); })) return type;
  const std::string name = absl::StrCat(std::string(kTypePrefix), absl::AsciiStrToUpper(std::string(word)));
  return refundrelay::v1::RefundEventType_Parse(name, &type) ? type : refundrelay::v1::REFUND_EVENT_TYPE_UNSPECIFIED;
}

std::string TypeWords() {
  std::vector<std::string> words;
  for (int i = 0; i < refundrelay::v1::RefundEventType_descriptor()->value_count(); ++i) {
    const auto* const value = refundrelay::v1::RefundEventType_descriptor()->value(i);
    if (value->number() == refundrelay::v1::REFUND_EVENT_TYPE_UNSPECIFIED) continue;
    words.push_back(absl::AsciiStrToLower(value->name().substr(kTypePrefix.size())));
  }
  return absl::StrJoin(words, ", ");
}

class PolicyReader {
 public:
  absl::StatusOr<AccessPolicy> Read(const JsonValue& root) {
    AccessPolicy policy;
    if (!CheckObject("", root)) return Failed();
    bool has_subscribers = false;
    for (const auto& [name, value] : root.members) {
      const std::string at = Step("", name);
      if (name == "subscribers") {
        has_subscribers = true;
        ReadSubscribers(at, value, policy);
      } else if (name == "$schema") {
        if (!value.is(JsonKind::kString)) Add(at, "must be a string");
      } else {
        AddUnknown(at, "subscribers, $schema");
      }
    }
    if (!has_subscribers) {
      Add("", "must have the member `subscribers`; {} there denies everything to all");
    }
    if (!problems_.empty()) return Failed();
    std::sort(policy.subscribers.begin(), policy.subscribers.end(),
              [](const SubscriberPolicy& a, const SubscriberPolicy& b) { return a.name < b.name; });
    return policy;
  }

 private:
  static std::string Step(std::string at, std::string_view name) {
    AppendPointerStep(at, name);
    return at;
  }

  void Add(absl::string_view at, absl::string_view problem) {
    problems_.push_back(absl::StrCat(at.empty() ? "the whole" : at, ": ", problem));
  }
  void AddUnknown(absl::string_view at, absl::string_view known) {
    Add(at, absl::StrCat("there is no such member; known are ", known));
  }
  absl::Status Failed() {
    const size_t more = problems_.size() > kMostProblems ? problems_.size() - kMostProblems : 0;
    problems_.resize(problems_.size() - more);
    return absl::InvalidArgumentError(
        absl::StrCat(absl::StrJoin(problems_, "; "), more > 0 ? absl::StrCat("; and ", more, " more") : ""));
  }

  bool CheckObject(absl::string_view at, const JsonValue& value) {
    if (!value.is(JsonKind::kObject)) Add(at, "must be an object");
    return value.is(JsonKind::kObject);
  }

  void ReadSubscribers(const std::string& at, const JsonValue& value, AccessPolicy& policy) {
    if (!CheckObject(at, value)) return;
    for (const auto& [name, member] : value.members) {
      const std::string there = Step(at, name);
      if (!IsName(name)) Add(there, "a subscriber's name has 1 to 63 characters of a-z, 0-9 and `-`");
      SubscriberPolicy subscriber;
      subscriber.name = name;
      ReadSubscriber(there, member, subscriber);
      policy.subscribers.push_back(std::move(subscriber));
    }
  }

  void ReadSubscriber(const std::string& at, const JsonValue& value, SubscriberPolicy& subscriber) {
    if (!CheckObject(at, value)) return;
    const std::pair<std::string_view, bool*> rights[] = {{"personal_data", &subscriber.events.personal_data},
                                                         {"administer", &subscriber.administer},
                                                         {"commit_for_others", &subscriber.commit_for_others},
                                                         {"look_up_by_refund", &subscriber.look_up_by_refund}};
    for (const auto& [name, member] : value.members) {
      const std::string there = Step(at, name);
      const auto* const right = std::find_if(std::begin(rights), std::end(rights),
                                             [&wanted = name](const auto& known) { return known.first == wanted; });
      if (right != std::end(rights)) {
        if (!member.is(JsonKind::kTrue) && !member.is(JsonKind::kFalse)) Add(there, "must be true or false");
        *right->second = member.is(JsonKind::kTrue);
      } else if (name == "certificates") {
        subscriber.certificates =
            ReadList(there, member, IsCertificateName,
                     "must be `dns:` and a lower-case DNS name without wildcards, or `uri:` and a URI such as "
                     "spiffe://example.org/books, as the client certificate's subjectAltName has it");
      } else if (name == "token_hashes") {
        const auto is_hash = [](std::string_view text) { return ParseTokenHash(text).has_value(); };
        for (const std::string& hash :
             ReadList(there, member, is_hash,
                      "must be `sha256:` and 64 lower-case hex digits, as `refundctl policy hash-token` prints it")) {
          subscriber.token_hashes.push_back(*ParseTokenHash(hash));
        }
      } else if (name == "service_accounts") {
        subscriber.service_accounts =
            ReadList(there, member, IsServiceAccount,
                     "must be `namespace/name` of a Kubernetes service account, such as payments/books");
      } else if (name == "events") {
        ReadEvents(there, member, subscriber.events);
      } else if (name == "description") {
        if (!member.is(JsonKind::kString)) Add(there, "must be a string");
      } else {
        AddUnknown(there,
                   "description, certificates, token_hashes, service_accounts, events, personal_data, administer, "
                   "commit_for_others, look_up_by_refund");
      }
    }
  }

  void ReadEvents(const std::string& at, const JsonValue& value, EventRights& rights) {
    if (value.is(JsonKind::kString) && value.text == "all") {
      rights.all = true;
      return;
    }
    if (!value.is(JsonKind::kObject) || value.members.empty()) {
      Add(at, "must be \"all\", or an object with `types`, `names` or both");
      return;
    }
    std::set<std::string> names;
    for (const auto& [member_name, member] : value.members) {
      const std::string there = Step(at, member_name);
      if (member_name == "types") {
        const auto is_type = [](std::string_view word) { return !EventNamesOfType(TypeOfWord(word)).empty(); };
        for (const std::string& word : ReadList(there, member, is_type, absl::StrCat("must be one of ", TypeWords()))) {
          for (const std::string_view name : EventNamesOfType(TypeOfWord(word))) names.insert(std::string(name));
        }
      } else if (member_name == "names") {
        for (std::string& name :
             ReadList(there, member, IsEventName,
                      "must be an event name: `refunded.` and letters, digits, `_`, `.`, `-`; at most 128 in all")) {
          names.insert(std::move(name));
        }
      } else {
        AddUnknown(there, "types, names");
      }
    }
    rights.event_names.assign(names.begin(), names.end());
  }

  // A list of 1 to 64 different strings, each as `is_good` wants it.
  template <typename IsGood>
  std::vector<std::string> ReadList(const std::string& at, const JsonValue& value, IsGood is_good,
                                    absl::string_view expected) {
    if (!value.is(JsonKind::kArray) || value.items.empty() || value.items.size() > kMostItems) {
      Add(at, absl::StrCat("must be a list of 1 to ", kMostItems, " strings; leave it out for none"));
      return {};
    }
    std::vector<std::string> list;
    for (size_t i = 0; i < value.items.size(); ++i) {
      const JsonValue& item = value.items[i];
      const std::string there = absl::StrCat(at, "/", i);
      if (!item.is(JsonKind::kString) || !is_good(item.text)) {
        Add(there, expected);
        continue;
      }
      if (std::find(list.begin(), list.end(), item.text) != list.end()) Add(there, "stands in the list twice");
      list.push_back(item.text);
    }
    return list;
  }

  std::vector<std::string> problems_;
};

}  // namespace

absl::StatusOr<AccessPolicy> ReadAccessPolicy(std::string_view json) {
  if (json.size() > kMostBytes) return absl::InvalidArgumentError("is larger than 1 MiB; is it the right file?");
  const absl::StatusOr<JsonValue> root = ReadJsonTree(json);
  if (!root.ok()) return absl::InvalidArgumentError(absl::StrCat("is not JSON: ", root.status().message()));
  return PolicyReader().Read(*root);
}

}  // namespace refund_relay
