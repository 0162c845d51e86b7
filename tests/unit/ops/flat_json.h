// JSON as a flat map for tests: `{"a":[{"b":1}]}` is {"a.0.b": "1"}. Strings are decoded; everything else is its own
// text.
#ifndef REFUND_RELAY_TESTS_UNIT_OPS_FLAT_JSON_H_
#define REFUND_RELAY_TESTS_UNIT_OPS_FLAT_JSON_H_

#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "rapidjson/memorystream.h"
#include "rapidjson/reader.h"

namespace refund_relay {

class FlatJsonHandler : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, FlatJsonHandler> {
 public:
  std::map<std::string, std::string> values;

  bool Null() { return Value("null"); }
  bool Bool(bool value) { return Value(value ? "true" : "false"); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) { return Value(std::string(text, size)); }
  bool String(const char* text, rapidjson::SizeType size, bool) { return Value(std::string(text, size)); }
  bool StartObject() { return Open(/*array=*/false); }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    open_.back().name = std::string(text, size);
    return true;
  }
  bool EndObject(rapidjson::SizeType) { return Close(); }
  bool StartArray() { return Open(/*array=*/true); }
  bool EndArray(rapidjson::SizeType) { return Close(); }

 private:
  struct Level {
    bool array;
    int next = 0;
    std::string name;
  };

  bool Open(bool array) {
    NameElement();
    open_.push_back({array, 0, {}});
    return true;
  }

  bool Close() {
    open_.pop_back();
    return true;
  }

  bool Value(std::string text) {
    NameElement();
    std::string path;
    for (const auto& level : open_) path += (path.empty() ? "" : ".") + level.name;
    return values.emplace(path, std::move(text)).second;  // a doubled key is an error
  }

  void NameElement() {
    if (!open_.empty() && open_.back().array) open_.back().name = std::to_string(open_.back().next++);
  }

  std::vector<Level> open_;
};

// Fails the test and returns what was read so far if `text` is not valid JSON in valid UTF-8.
inline std::map<std::string, std::string> FlatJson(const std::string& text) {
  FlatJsonHandler handler;
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  reader.Parse<rapidjson::kParseValidateEncodingFlag | rapidjson::kParseNumbersAsStringsFlag>(stream, handler);
  EXPECT_FALSE(reader.HasParseError()) << "at byte " << reader.GetErrorOffset() << " of " << text;
  return handler.values;
}

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_UNIT_OPS_FLAT_JSON_H_
