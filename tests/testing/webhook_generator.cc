#include "tests/testing/webhook_generator.h"

#include <set>
#include <utility>

namespace refund_relay::testing {
namespace {

constexpr const char* kEventNames[] = {"refunded.pay_per_use", "refunded.subscription", "refunded.pass"};
constexpr const char* kOddEventNames[] = {"refunded.pass",         "refunded.bundle", "refunded.",
                                          "refunded.\xE2\x82\xB9", "refunded.PASS",   "refunded.a/b~c"};
constexpr const char* kOddIds[] = {"65e0220ed03692125f1f3592",
                                   "a",
                                   "with-dash",
                                   "with space",
                                   "\xE2\x82\xB9",
                                   "../../etc/passwd",
                                   "0123456789012345678901234567890123456789012345678901234567890123456789"};
constexpr const char* kAmounts[] = {"1",           "0",
                                    "-0",          "-0.0",
                                    "289.5",       "289.50",
                                    "1.10",        "1e2",
                                    "1E+2",        "12e-1",
                                    "0.000000001", "1e-9",
                                    "1.000000000", "9223372036854775807",
                                    "0e999",       "0e-5",
                                    "0.0",         "100",
                                    "10.01",       "9223372036854775807.999999999"};
constexpr const char* kCurrencies[] = {"INR", "inr", "Usd", "EUR"};
constexpr const char* kTimes[] = {"2024-02-29T06:20:50.593Z",      "2024-02-29T06:20:50Z",
                                  "2024-02-29T06:20:50.593000Z",   "2024-02-29T11:50:50.593+05:30",
                                  "2024-02-29 06:20:50.593Z",      "2024-02-29T06:20Z",
                                  "2024-02-30T06:20:50.593Z",      "2024-02-29T06:20:50.593",
                                  "Thu, 29 Feb 2024 06:20:50 GMT", "",
                                  "2024-02-29t06:20:50.593z",      "2024-02-29T06:20:50.5931234567Z",
                                  "0000-01-01T00:00:00.000Z",      "9999-12-31T23:59:59.999Z",
                                  "0001-01-01T00:00:00.000Z",      "0001-01-01T00:00:00.000+01:00"};
constexpr const char* kSeconds[] = {"1709187681",
                                    "1709187681.0",
                                    "1709187681.5",
                                    "1.709187681e9",
                                    "946684800",
                                    "946684799",
                                    "4133980799",
                                    "4133980800",
                                    "-1",
                                    "0",
                                    "99999999999999999999",
                                    "1709187681000"};
constexpr const char* kNumbers[] = {"0",
                                    "-0",
                                    "1",
                                    "-1",
                                    "28.5246",
                                    "28.0",
                                    "77",
                                    "1e5",
                                    "1E5",
                                    "1e-400",
                                    "0.1",
                                    "-1.5e-3",
                                    "1e308",
                                    "1.7976931348623157e308",
                                    "0e400",
                                    "5e-324",
                                    "1e22",
                                    "1e21",
                                    "123456789012345678901234567890",
                                    "0.30000000000000004",
                                    "1e+06",
                                    "2e00"};
constexpr const char* kStrings[] = {"",
                                    "a",
                                    "INR",
                                    "110001",
                                    "true",
                                    "null",
                                    "\"",
                                    "\\",
                                    "/",
                                    "\b\f\n\r\t",
                                    "\x01\x1F\x7F",
                                    "\xC3\xA9",
                                    "\xE2\x82\xB9",
                                    "\xF0\x9F\x92\xB8",
                                    "\xED\x9F\xBF",
                                    "\xEF\xBF\xBF",
                                    "\xEF\xBB\xBF",
                                    "2024-02-29T06:20:50.593Z",
                                    "refunded.pass",
                                    "{\"a\":1}",
                                    "\xE2\x80\xA8"};
constexpr const char* kNames[] = {"",
                                  "a",
                                  "~",
                                  "/",
                                  "~1",
                                  "~0",
                                  "a/b",
                                  "m~n",
                                  "//",
                                  "_id",
                                  "event",
                                  "user",
                                  "payload",
                                  "amount",
                                  "extra_fields",
                                  "\xC3\xA9",
                                  "\xF0\x9F\x92\xB8",
                                  "\"",
                                  "\\",
                                  "\n",
                                  " ",
                                  "0",
                                  "-",
                                  "__proto__",
                                  "Event"};
constexpr const char* kSpaces[] = {"", "", " ", "\n", "\t", "\r\n", "  "};

void AppendHex4(unsigned unit, bool upper, std::string& out) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) {
    out += (upper ? "0123456789ABCDEF" : "0123456789abcdef")[(unit >> shift) & 15];
  }
}

// Appends one character of UTF-8 as its escape, or pair of escapes.
void AppendEscape(std::string_view character, std::string& out) {
  unsigned code_point = static_cast<unsigned char>(character[0]);
  if (character.size() > 1) code_point &= 0x7Fu >> character.size();
  for (const char c : character.substr(1)) code_point = code_point << 6 | (static_cast<unsigned char>(c) & 0x3F);
  if (code_point < 0x10000) {
    AppendHex4(code_point, false, out);
  } else {
    AppendHex4(0xD800 + ((code_point - 0x10000) >> 10), true, out);
    AppendHex4(0xDC00 + ((code_point - 0x10000) & 0x3FF), false, out);
  }
}

bool IsRequired(const std::string& path) {
  return path == "/event" || path == "/payload" || path == "/payload/refund" || path == "/payload/refund/_id" ||
         path == "/payload/refund/amount" || path == "/payload/refund/currency";
}

}  // namespace

std::string WebhookGenerator::Plain() { return Render(Webhook(), true); }

std::string WebhookGenerator::Odd() {
  Value webhook = Webhook();
  MakeOdd(webhook, "", true);
  return Render(webhook, false);
}

std::string WebhookGenerator::Wild() {
  Value webhook = OneIn(50) ? AnyValue(2) : Webhook();
  if (webhook.kind == Value::Kind::kObject) MakeOdd(webhook, "", false);
  return Render(webhook, false);
}

WebhookGenerator::Value WebhookGenerator::Text(std::string json) { return {Value::Kind::kText, std::move(json), {}}; }

WebhookGenerator::Value WebhookGenerator::String(std::string text) {
  return {Value::Kind::kString, std::move(text), {}};
}

std::string WebhookGenerator::Hex(size_t digits) {
  std::string text;
  for (size_t i = 0; i < digits; ++i) text += "0123456789abcdef"[Below(16)];
  return text;
}

WebhookGenerator::Value WebhookGenerator::Webhook() {
  const auto object = [](std::vector<Member> members) { return Value{Value::Kind::kObject, {}, std::move(members)}; };
  const std::string user_id = Hex(24);
  const std::string phone = std::to_string(9000000000 + Below(1000000000));
  Value refund = object({{"_id", String(Hex(24))},
                         {"paymentGatewayRefundId", String("rfnd_" + Hex(14))},
                         {"amount", Text(std::to_string(1 + Below(1000)))},
                         {"currency", String("INR")},
                         {"cancelAccess", Text(OneIn(2) ? "true" : "false")},
                         {"userId", String(user_id)},
                         {"clientId", String(Hex(24))},
                         {"createdAt", String("2024-02-29T06:20:50.593Z")},
                         {"transactionId", String(Hex(24))},
                         {"updatedAt", String("2024-02-29T06:21:21.144Z")}});
  Value address = object({});
  for (const char* name : {"apartment", "area", "pincode", "landmark", "city", "state", "country"}) {
    address.members.push_back({name, String("")});
  }
  Value user =
      object({{"phoneNumber", String(phone)},
              {"email", String(Hex(8) + "@example.com")},
              {"userId", String(user_id)},
              {"country", String("IN")},
              {"address", std::move(address)},
              {"name", String("")},
              {"city", String("new delhi")},
              {"location",
               object({{"latitude", Text("28.5246")}, {"longitude", Text("77.2793")}, {"postcode", String("110001")}})},
              {"username", String(phone)}});
  Value contains{Value::Kind::kArray, {}, {{"", String("refund")}, {"", String("user")}}};
  return object({{"entity", String("event")},
                 {"user_id", String(user_id)},
                 {"event", String(Any(kEventNames))},
                 {"contains", std::move(contains)},
                 {"payload", object({{"refund", std::move(refund)}, {"user", std::move(user)}})},
                 {"client_info", object({{"userAgent", String("axios/0.21.1")},
                                         {"country", String("India")},
                                         {"countryCode", String("IN")},
                                         {"deviceType", String("desktop")}})},
                 {"created_at", Text(std::to_string(1709187681 + Below(100000)))}});
}

WebhookGenerator::Value WebhookGenerator::AnyNumber() {
  if (!OneIn(3)) return Text(Any(kNumbers));
  std::string text = OneIn(3) ? "-" : "";
  text += std::to_string(Below(OneIn(2) ? 100 : 1000000000000));
  if (OneIn(2)) text += "." + std::to_string(Below(1000000));
  if (OneIn(4)) text += "e" + std::to_string(static_cast<int>(Below(80)) - 40);
  return Text(text);
}

WebhookGenerator::Value WebhookGenerator::AnyString() {
  std::string text;
  for (uint64_t parts = OneIn(4) ? 3 : 1; parts > 0; --parts) text += Any(kStrings);
  if (OneIn(20)) text += '\0';
  return String(text);
}

WebhookGenerator::Value WebhookGenerator::AnyValue(int depth) {
  switch (Below(depth > 0 ? 9 : 6)) {
    case 0:
      return Text("null");
    case 1:
      return Text("true");
    case 2:
      return Text("false");
    case 3:
      return AnyNumber();
    case 4:
    case 5:
      return AnyString();
    case 6: {
      Value nested = Text("{\"a\":[]}");
      for (uint64_t i = Below(50); i > 0; --i) nested.text = "[" + nested.text + "]";
      return nested;
    }
    default: {
      Value value{OneIn(2) ? Value::Kind::kArray : Value::Kind::kObject, {}, {}};
      std::set<std::string> names;
      for (uint64_t count = Below(4); count > 0; --count) {
        std::string name = value.kind == Value::Kind::kObject ? AnyName() : "";
        if (value.kind == Value::Kind::kObject && !names.insert(name).second) continue;
        value.members.push_back({std::move(name), AnyValue(depth - 1)});
      }
      return value;
    }
  }
}

std::string WebhookGenerator::AnyName() { return OneIn(4) ? "x" + Hex(4) : std::string(Any(kNames)); }

// Another spelling of a known member, still of the kind that the schema expects.
void WebhookGenerator::Spell(Value& value, const std::string& path) {
  if (path == "/event") {
    value = String(Any(kOddEventNames));
  } else if (path == "/payload/refund/_id") {
    value = String(Any(kOddIds));
  } else if (path == "/payload/refund/amount") {
    value = Text(Any(kAmounts));
  } else if (path == "/payload/refund/currency") {
    value = String(Any(kCurrencies));
  } else if (path == "/created_at") {
    value = Text(Any(kSeconds));
  } else if (path == "/payload/refund/createdAt" || path == "/payload/refund/updatedAt") {
    value = String(Any(kTimes));
  } else if (value.kind == Value::Kind::kString) {
    value = AnyString();
  } else if (value.kind == Value::Kind::kText) {
    value = AnyNumber();
  } else if (value.kind == Value::Kind::kArray) {
    value.members.clear();
    for (uint64_t count = Below(4); count > 0; --count) value.members.push_back({"", AnyString()});
  }
}

void WebhookGenerator::MakeOdd(Value& object, const std::string& path, bool spare_required) {
  std::set<std::string> names;
  std::vector<Member> kept;
  for (auto& [name, value] : object.members) {
    std::string own_path = path;
    own_path += "/" + name;
    names.insert(name);
    const bool spared = IsRequired(own_path) && (spare_required || !OneIn(8));
    if (!spared && OneIn(12)) continue;
    if (!spared && OneIn(10)) {
      value = AnyValue(3);
    } else if (value.kind == Value::Kind::kObject) {
      MakeOdd(value, own_path, spare_required);
    } else if (OneIn(4)) {
      Spell(value, own_path);
    }
    kept.push_back({name, std::move(value)});
  }
  object.members = std::move(kept);
  for (uint64_t extra = OneIn(3) ? Below(4) : 0; extra > 0; --extra) {
    std::string name = AnyName();
    if (names.insert(name).second) object.members.push_back({std::move(name), AnyValue(3)});
  }
  if (OneIn(2)) Shuffle(object);
}

void WebhookGenerator::Shuffle(Value& object) {
  for (size_t i = object.members.size(); i > 1; --i) std::swap(object.members[i - 1], object.members[Below(i)]);
}

std::string WebhookGenerator::Render(const Value& value, bool plain) {
  std::string out;
  AppendSpace(plain, out);
  Append(value, plain, out);
  AppendSpace(plain, out);
  return out;
}

void WebhookGenerator::Append(const Value& value, bool plain, std::string& out) {
  if (value.kind == Value::Kind::kText) {
    out += value.text;
    return;
  }
  if (value.kind == Value::Kind::kString) {
    AppendString(value.text, plain, out);
    return;
  }
  const bool object = value.kind == Value::Kind::kObject;
  const char* separator = object ? "{" : "[";
  if (value.members.empty()) out += separator;
  for (const auto& [name, member] : value.members) {
    out += separator;
    separator = ",";
    AppendSpace(plain, out);
    if (object) {
      AppendString(name, plain, out);
      AppendSpace(plain, out);
      out += ':';
      AppendSpace(plain, out);
    }
    Append(member, plain, out);
    AppendSpace(plain, out);
  }
  out += object ? '}' : ']';
}

void WebhookGenerator::AppendString(std::string_view text, bool plain, std::string& out) {
  const bool escape_all = !plain && OneIn(6);
  out += '"';
  for (size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (first < 0x20 || (escape_all && !OneIn(4))) {
      AppendEscape(text.substr(i, length), out);
    } else {
      if (first == '"' || first == '\\' || (first == '/' && escape_all)) out += '\\';
      out += text.substr(i, length);
    }
    i += length;
  }
  out += '"';
}

void WebhookGenerator::AppendSpace(bool plain, std::string& out) {
  if (!plain && OneIn(8)) out += Any(kSpaces);
}

}  // namespace refund_relay::testing
