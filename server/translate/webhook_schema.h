// The one table of webhook members and the typed fields that carry them, for parser and writer alike.
#ifndef REFUND_RELAY_SERVER_TRANSLATE_WEBHOOK_SCHEMA_H_
#define REFUND_RELAY_SERVER_TRANSLATE_WEBHOOK_SCHEMA_H_

#include <google/protobuf/timestamp.pb.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "refundrelay/v1/refund_event.pb.h"

namespace refund_relay {

// Every member that the schema knows. The members of one object stand together, parents before their members.
enum class Member : unsigned char {
  kRoot,
  // of the root
  kEntity,
  kUserId,
  kEvent,
  kContains,
  kPayload,
  kClientInfo,
  kCreatedAt,
  // of payload
  kRefund,
  kUser,
  // of payload.refund
  kRefundId,
  kRefundPaymentGatewayRefundId,
  kRefundAmount,
  kRefundCurrency,
  kRefundCancelAccess,
  kRefundUserId,
  kRefundClientId,
  kRefundCreatedAt,
  kRefundTransactionId,
  kRefundUpdatedAt,
  // of payload.user
  kUserPhoneNumber,
  kUserEmail,
  kUserUserId,
  kUserCountry,
  kUserAddress,
  kUserName,
  kUserCity,
  kUserLocation,
  kUserUsername,
  // of payload.user.address
  kAddressApartment,
  kAddressArea,
  kAddressPincode,
  kAddressLandmark,
  kAddressCity,
  kAddressState,
  kAddressCountry,
  // of payload.user.location
  kLocationLatitude,
  kLocationLongitude,
  kLocationPostcode,
  // of client_info
  kClientInfoUserAgent,
  kClientInfoCountry,
  kClientInfoCountryCode,
  kClientInfoDeviceType,
};

inline constexpr size_t kMemberCount = static_cast<size_t>(Member::kClientInfoDeviceType) + 1;

// What JSON a member is expected to be and what carries it.
enum class MemberKind : unsigned char {
  kObject,
  kString,
  kPostcode,  // a string that the vendor sometimes sends as a number
  kBool,
  kDouble,
  kIsoTime,       // string
  kEpochSeconds,  // number
  kStringList,
  kAmount,    // number, Money's units and nanos
  kCurrency,  // three letters, Money's currency_code
};

// How to reach the typed field; only the functions that the kind needs are set. Readers give null or nullopt where the
// event lacks the field; writers make the messages on the way.
struct MemberAccess {
  using Event = refundrelay::v1::RefundEvent;
  using Timestamp = google::protobuf::Timestamp;
  bool (*has_object)(const Event&) = nullptr;
  void (*make_object)(Event&) = nullptr;
  const std::string* (*read_string)(const Event&) = nullptr;
  std::string* (*write_string)(Event&) = nullptr;
  std::optional<bool> (*read_bool)(const Event&) = nullptr;
  void (*write_bool)(Event&, bool) = nullptr;
  std::optional<double> (*read_double)(const Event&) = nullptr;
  void (*write_double)(Event&, double) = nullptr;
  const Timestamp* (*read_time)(const Event&) = nullptr;
  Timestamp* (*write_time)(Event&) = nullptr;
};

struct SchemaMember {
  Member member;
  Member parent;
  MemberKind kind;
  std::string_view path;  // JSON Pointer
  std::string_view name;  // its last step; no name of ours needs an escape
  MemberAccess access;
};

// The row of `member`.
const SchemaMember& SchemaOf(Member member);

// All rows, in the order of Member.
const std::array<SchemaMember, kMemberCount>& Schema();

// The member `name` of the object `parent`, null if the schema does not know it.
const SchemaMember* FindMember(Member parent, std::string_view name);

// The object with this JSON Pointer, null if the schema knows none there.
const SchemaMember* FindObject(std::string_view path);

// The name of a member in `schema_drift_total{field}`: its path with dots, such as `payload.refund.createdAt`.
std::string DriftName(const SchemaMember& member);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_TRANSLATE_WEBHOOK_SCHEMA_H_
