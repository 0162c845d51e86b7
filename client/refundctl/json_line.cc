#include "client/refundctl/json_line.h"

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/json_util.h"
#include "rapidjson/memorystream.h"
#include "rapidjson/reader.h"
#include "rapidjson/stringbuffer.h"
#include "rapidjson/writer.h"

namespace refund_relay {
namespace {

// `text` in quotes, escaped; false if it is not UTF-8.
bool WriteString(std::string_view text, std::string* json) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer, rapidjson::UTF8<>, rapidjson::UTF8<>, rapidjson::CrtAllocator,
                    rapidjson::kWriteValidateEncodingFlag>
      writer(buffer);
  const bool valid = writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
  *json = buffer.GetString();
  return valid;
}

}  // namespace

std::string ProtoJson(const google::protobuf::Message& message, Zeros zeros) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = zeros == Zeros::kShown;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) return absl::StrCat("{\"unprintable\":", JsonString(std::string(status.message())), "}");
  return json;
}

JsonLine::JsonLine(std::string_view kind) : members_(absl::StrCat("\"kind\":", JsonString(kind))) {}

JsonLine& JsonLine::Add(std::string_view name, std::string_view value) { return AddJson(name, JsonString(value)); }

JsonLine& JsonLine::Add(std::string_view name, int64_t value) { return AddJson(name, absl::StrCat(value)); }

JsonLine& JsonLine::AddJson(std::string_view name, std::string_view json) {
  absl::StrAppend(&members_, ",", JsonString(name), ":", std::string(json));
  return *this;
}

JsonLine& JsonLine::AddMembers(const google::protobuf::Message& message, Zeros zeros) {
  const std::string json = ProtoJson(message, zeros);
  if (json.size() > 2) absl::StrAppend(&members_, ",", json.substr(1, json.size() - 2));
  return *this;
}

std::string JsonLine::Build() const { return absl::StrCat("{", members_, "}"); }

std::string JsonString(std::string_view text) {
  if (std::string json; WriteString(text, &json)) return json;
  // Not UTF-8, which JSON has to be: what is not ASCII becomes the replacement character.
  std::string readable;
  for (const char c : text)
    absl::StrAppend(&readable, static_cast<unsigned char>(c) < 0x80 ? std::string(1, c) : "\uFFFD");
  std::string json;
  WriteString(readable, &json);
  return json;
}

std::string CompactJson(std::string_view text) {
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  rapidjson::Reader reader;
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;
  const bool parsed = text.find('\0') == std::string_view::npos && !reader.Parse<kFlags>(stream, writer).IsError();
  return parsed ? std::string(buffer.GetString()) : JsonString(text);
}

}  // namespace refund_relay
