#include "server/translate/webhook_schema.h"

namespace refund_relay {
namespace {

using google::protobuf::Timestamp;
using refundrelay::v1::Address;
using refundrelay::v1::ClientInfo;
using refundrelay::v1::Location;
using refundrelay::v1::Refund;
using refundrelay::v1::RefundEvent;
using refundrelay::v1::User;

// Owners: how to get from the event to the message that holds a field.
struct OfEvent {
  using Message = RefundEvent;
  static const RefundEvent& Read(const RefundEvent& event) { return event; }
  static const RefundEvent& Read(RefundEvent&& event) = delete;
  static RefundEvent& Write(RefundEvent& event) { return event; }
};
struct OfRefund {
  using Message = Refund;
  static const Refund& Read(const RefundEvent& event) { return event.refund(); }
  static Refund& Write(RefundEvent& event) { return *event.mutable_refund(); }
};
struct OfUser {
  using Message = User;
  static const User& Read(const RefundEvent& event) { return event.user(); }
  static User& Write(RefundEvent& event) { return *event.mutable_user(); }
};
struct OfAddress {
  using Message = Address;
  static const Address& Read(const RefundEvent& event) { return event.user().address(); }
  static Address& Write(RefundEvent& event) { return *event.mutable_user()->mutable_address(); }
};
struct OfLocation {
  using Message = Location;
  static const Location& Read(const RefundEvent& event) { return event.user().location(); }
  static Location& Write(RefundEvent& event) { return *event.mutable_user()->mutable_location(); }
};
struct OfClientInfo {
  using Message = ClientInfo;
  static const ClientInfo& Read(const RefundEvent& event) { return event.client_info(); }
  static ClientInfo& Write(RefundEvent& event) { return *event.mutable_client_info(); }
};

template <typename Owner, auto Has>
constexpr MemberAccess ObjectIn() {
  MemberAccess access;
  access.has_object = [](const RefundEvent& event) { return (Has)(event); };
  access.make_object = [](RefundEvent& event) { (void)Owner::Write(event); };
  return access;
}

template <typename Owner, auto Read, auto Write>
constexpr MemberAccess RequiredString() {
  MemberAccess access;
  access.read_string = [](const RefundEvent& event) { return &(Owner::Read(event).*Read)(); };
  access.write_string = [](RefundEvent& event) { return (Owner::Write(event).*Write)(); };
  return access;
}

template <typename Owner, auto Has, auto Read, auto Write>
constexpr MemberAccess OptionalString() {
  MemberAccess access;
  access.read_string = [](const RefundEvent& event) -> const std::string* {
    const typename Owner::Message& message = Owner::Read(event);
    return (message.*Has)() ? &(message.*Read)() : nullptr;
  };
  access.write_string = [](RefundEvent& event) { return (Owner::Write(event).*Write)(); };
  return access;
}

template <typename Owner, auto Has, auto Read, auto Write>
constexpr MemberAccess OptionalBool() {
  MemberAccess access;
  access.read_bool = [](const RefundEvent& event) -> std::optional<bool> {
    const typename Owner::Message& message = Owner::Read(event);
    return (message.*Has)() ? std::optional<bool>((message.*Read)()) : std::nullopt;
  };
  access.write_bool = [](RefundEvent& event, bool value) { (Owner::Write(event).*Write)(value); };
  return access;
}

template <typename Owner, auto Has, auto Read, auto Write>
constexpr MemberAccess OptionalDouble() {
  MemberAccess access;
  access.read_double = [](const RefundEvent& event) -> std::optional<double> {
    const typename Owner::Message& message = Owner::Read(event);
    return (message.*Has)() ? std::optional<double>((message.*Read)()) : std::nullopt;
  };
  access.write_double = [](RefundEvent& event, double value) { (Owner::Write(event).*Write)(value); };
  return access;
}

template <typename Owner, auto Has, auto Read, auto Write>
constexpr MemberAccess OptionalTime() {
  MemberAccess access;
  access.read_time = [](const RefundEvent& event) -> const Timestamp* {
    const typename Owner::Message& message = Owner::Read(event);
    return (message.*Has)() ? &(message.*Read)() : nullptr;
  };
  access.write_time = [](RefundEvent& event) { return (Owner::Write(event).*Write)(); };
  return access;
}

bool Always(const RefundEvent&) { return true; }
bool HasUser(const RefundEvent& event) { return event.has_user(); }
bool HasAddress(const RefundEvent& event) { return event.user().has_address(); }
bool HasLocation(const RefundEvent& event) { return event.user().has_location(); }
bool HasClientInfo(const RefundEvent& event) { return event.has_client_info(); }

template <typename Owner, auto Has, auto Read, auto Write>
constexpr SchemaMember String(Member member, Member parent, std::string_view path) {
  return {member, parent, MemberKind::kString, path, {}, OptionalString<Owner, Has, Read, Write>()};
}

constexpr std::array<SchemaMember, kMemberCount> WithNames(std::array<SchemaMember, kMemberCount> rows) {
  for (SchemaMember& row : rows) row.name = row.path.empty() ? row.path : row.path.substr(row.path.rfind('/') + 1);
  return rows;
}

using M = Member;
using K = MemberKind;

constexpr std::array<SchemaMember, kMemberCount> kSchema = WithNames({{
    {M::kRoot, M::kRoot, K::kObject, "", {}, ObjectIn<OfEvent, Always>()},

    String<OfEvent, &RefundEvent::has_entity, &RefundEvent::entity, &RefundEvent::mutable_entity>(M::kEntity, M::kRoot,
                                                                                                  "/entity"),
    String<OfEvent, &RefundEvent::has_user_id, &RefundEvent::user_id, &RefundEvent::mutable_user_id>(
        M::kUserId, M::kRoot, "/user_id"),
    {M::kEvent,
     M::kRoot,
     K::kString,
     "/event",
     {},
     RequiredString<OfEvent, &RefundEvent::event_name, &RefundEvent::mutable_event_name>()},
    {M::kContains, M::kRoot, K::kStringList, "/contains", {}, {}},
    {M::kPayload, M::kRoot, K::kObject, "/payload", {}, ObjectIn<OfEvent, Always>()},
    {M::kClientInfo, M::kRoot, K::kObject, "/client_info", {}, ObjectIn<OfClientInfo, HasClientInfo>()},
    {M::kCreatedAt,
     M::kRoot,
     K::kEpochSeconds,
     "/created_at",
     {},
     OptionalTime<OfEvent, &RefundEvent::has_occurred_at, &RefundEvent::occurred_at,
                  &RefundEvent::mutable_occurred_at>()},

    {M::kRefund, M::kPayload, K::kObject, "/payload/refund", {}, ObjectIn<OfRefund, Always>()},
    {M::kUser, M::kPayload, K::kObject, "/payload/user", {}, ObjectIn<OfUser, HasUser>()},

    {M::kRefundId,
     M::kRefund,
     K::kString,
     "/payload/refund/_id",
     {},
     RequiredString<OfRefund, &Refund::id, &Refund::mutable_id>()},
    String<OfRefund, &Refund::has_payment_gateway_refund_id, &Refund::payment_gateway_refund_id,
           &Refund::mutable_payment_gateway_refund_id>(M::kRefundPaymentGatewayRefundId, M::kRefund,
                                                       "/payload/refund/paymentGatewayRefundId"),
    {M::kRefundAmount, M::kRefund, K::kAmount, "/payload/refund/amount", {}, {}},
    {M::kRefundCurrency, M::kRefund, K::kCurrency, "/payload/refund/currency", {}, {}},
    {M::kRefundCancelAccess,
     M::kRefund,
     K::kBool,
     "/payload/refund/cancelAccess",
     {},
     OptionalBool<OfRefund, &Refund::has_cancel_access, &Refund::cancel_access, &Refund::set_cancel_access>()},
    String<OfRefund, &Refund::has_user_id, &Refund::user_id, &Refund::mutable_user_id>(M::kRefundUserId, M::kRefund,
                                                                                       "/payload/refund/userId"),
    String<OfRefund, &Refund::has_client_id, &Refund::client_id, &Refund::mutable_client_id>(
        M::kRefundClientId, M::kRefund, "/payload/refund/clientId"),
    {M::kRefundCreatedAt,
     M::kRefund,
     K::kIsoTime,
     "/payload/refund/createdAt",
     {},
     OptionalTime<OfRefund, &Refund::has_created_at, &Refund::created_at, &Refund::mutable_created_at>()},
    String<OfRefund, &Refund::has_transaction_id, &Refund::transaction_id, &Refund::mutable_transaction_id>(
        M::kRefundTransactionId, M::kRefund, "/payload/refund/transactionId"),
    {M::kRefundUpdatedAt,
     M::kRefund,
     K::kIsoTime,
     "/payload/refund/updatedAt",
     {},
     OptionalTime<OfRefund, &Refund::has_updated_at, &Refund::updated_at, &Refund::mutable_updated_at>()},

    String<OfUser, &User::has_phone_number, &User::phone_number, &User::mutable_phone_number>(
        M::kUserPhoneNumber, M::kUser, "/payload/user/phoneNumber"),
    String<OfUser, &User::has_email, &User::email, &User::mutable_email>(M::kUserEmail, M::kUser,
                                                                         "/payload/user/email"),
    String<OfUser, &User::has_user_id, &User::user_id, &User::mutable_user_id>(M::kUserUserId, M::kUser,
                                                                               "/payload/user/userId"),
    String<OfUser, &User::has_country, &User::country, &User::mutable_country>(M::kUserCountry, M::kUser,
                                                                               "/payload/user/country"),
    {M::kUserAddress, M::kUser, K::kObject, "/payload/user/address", {}, ObjectIn<OfAddress, HasAddress>()},
    String<OfUser, &User::has_name, &User::name, &User::mutable_name>(M::kUserName, M::kUser, "/payload/user/name"),
    String<OfUser, &User::has_city, &User::city, &User::mutable_city>(M::kUserCity, M::kUser, "/payload/user/city"),
    {M::kUserLocation, M::kUser, K::kObject, "/payload/user/location", {}, ObjectIn<OfLocation, HasLocation>()},
    String<OfUser, &User::has_username, &User::username, &User::mutable_username>(M::kUserUsername, M::kUser,
                                                                                  "/payload/user/username"),

    String<OfAddress, &Address::has_apartment, &Address::apartment, &Address::mutable_apartment>(
        M::kAddressApartment, M::kUserAddress, "/payload/user/address/apartment"),
    String<OfAddress, &Address::has_area, &Address::area, &Address::mutable_area>(M::kAddressArea, M::kUserAddress,
                                                                                  "/payload/user/address/area"),
    String<OfAddress, &Address::has_pincode, &Address::pincode, &Address::mutable_pincode>(
        M::kAddressPincode, M::kUserAddress, "/payload/user/address/pincode"),
    String<OfAddress, &Address::has_landmark, &Address::landmark, &Address::mutable_landmark>(
        M::kAddressLandmark, M::kUserAddress, "/payload/user/address/landmark"),
    String<OfAddress, &Address::has_city, &Address::city, &Address::mutable_city>(M::kAddressCity, M::kUserAddress,
                                                                                  "/payload/user/address/city"),
    String<OfAddress, &Address::has_state, &Address::state, &Address::mutable_state>(M::kAddressState, M::kUserAddress,
                                                                                     "/payload/user/address/state"),
    String<OfAddress, &Address::has_country, &Address::country, &Address::mutable_country>(
        M::kAddressCountry, M::kUserAddress, "/payload/user/address/country"),

    {M::kLocationLatitude,
     M::kUserLocation,
     K::kDouble,
     "/payload/user/location/latitude",
     {},
     OptionalDouble<OfLocation, &Location::has_latitude, &Location::latitude, &Location::set_latitude>()},
    {M::kLocationLongitude,
     M::kUserLocation,
     K::kDouble,
     "/payload/user/location/longitude",
     {},
     OptionalDouble<OfLocation, &Location::has_longitude, &Location::longitude, &Location::set_longitude>()},
    {M::kLocationPostcode,
     M::kUserLocation,
     K::kPostcode,
     "/payload/user/location/postcode",
     {},
     OptionalString<OfLocation, &Location::has_postcode, &Location::postcode, &Location::mutable_postcode>()},

    String<OfClientInfo, &ClientInfo::has_user_agent, &ClientInfo::user_agent, &ClientInfo::mutable_user_agent>(
        M::kClientInfoUserAgent, M::kClientInfo, "/client_info/userAgent"),
    String<OfClientInfo, &ClientInfo::has_country, &ClientInfo::country, &ClientInfo::mutable_country>(
        M::kClientInfoCountry, M::kClientInfo, "/client_info/country"),
    String<OfClientInfo, &ClientInfo::has_country_code, &ClientInfo::country_code, &ClientInfo::mutable_country_code>(
        M::kClientInfoCountryCode, M::kClientInfo, "/client_info/countryCode"),
    String<OfClientInfo, &ClientInfo::has_device_type, &ClientInfo::device_type, &ClientInfo::mutable_device_type>(
        M::kClientInfoDeviceType, M::kClientInfo, "/client_info/deviceType"),
}});

// Rows in the order of Member, each below its parent's path, members of one object together.
constexpr bool InOrder() {
  for (size_t i = 0; i < kMemberCount; ++i) {
    const SchemaMember& row = kSchema[i];
    if (static_cast<size_t>(row.member) != i) return false;
    if (i == 0) continue;
    const SchemaMember& parent = kSchema[static_cast<size_t>(row.parent)];
    if (row.parent >= row.member || parent.kind != MemberKind::kObject) return false;
    if (row.path.substr(0, parent.path.size()) != parent.path) return false;
    if (row.path.size() != parent.path.size() + 1 + row.name.size()) return false;
    if (i > 1 && row.parent < kSchema[i - 1].parent && row.parent != M::kClientInfo) return false;
  }
  return true;
}
static_assert(InOrder());

// Where the members of each object begin and end in kSchema.
struct Range {
  size_t begin = 0;
  size_t end = 0;
};

constexpr std::array<Range, kMemberCount> RangesOfMembers() {
  std::array<Range, kMemberCount> ranges{};
  for (size_t i = 1; i < kMemberCount; ++i) {
    Range& range = ranges[static_cast<size_t>(kSchema[i].parent)];
    if (range.end == 0) range.begin = i;
    range.end = i + 1;
  }
  return ranges;
}

constexpr std::array<Range, kMemberCount> kRanges = RangesOfMembers();

}  // namespace

const SchemaMember& SchemaOf(Member member) { return kSchema[static_cast<size_t>(member)]; }

const std::array<SchemaMember, kMemberCount>& Schema() { return kSchema; }

const SchemaMember* FindMember(Member parent, std::string_view name) {
  const Range range = kRanges[static_cast<size_t>(parent)];
  for (size_t i = range.begin; i < range.end; ++i) {
    if (kSchema[i].name == name) return &kSchema[i];
  }
  return nullptr;
}

const SchemaMember* FindObject(std::string_view path) {
  for (const SchemaMember& row : kSchema) {
    if (row.kind == MemberKind::kObject && row.path == path) return &row;
  }
  return nullptr;
}

std::string DriftName(const SchemaMember& member) {
  std::string name(member.path.substr(member.path.empty() ? 0 : 1));
  for (char& c : name) {
    if (c == '/') c = '.';
  }
  return name;
}

}  // namespace refund_relay
