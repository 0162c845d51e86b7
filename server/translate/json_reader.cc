// How: RapidJSON's iterative reader decodes strings in place in a copy of the text, and a handler adds the checks that
// it leaves out. RapidJSON stops at a number beyond a double's range, though what follows may not be JSON at all, and
// takes `0e999` for one: such a text is read a second time with its numbers set to 0, and each is judged by its own
// text.
#include "server/translate/json_reader.h"

#include <rapidjson/reader.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "server/translate/json_number.h"
#include "server/translate/unique_names.h"

namespace refund_relay {
namespace {

constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseInsituFlag |
                            rapidjson::kParseValidateEncodingFlag | rapidjson::kParseNumbersAsStringsFlag;
// RapidJSON does not notice the end of a text that breaks off inside a character of several bytes: it reads all of
// them, so the buffer ends with enough NULs for the longest.
constexpr size_t kPadding = 4;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

absl::Status NotJson(size_t offset, const char* expected) {
  return absl::InvalidArgumentError(absl::StrCat("byte ", offset, ": ", expected));
}

const char* Expected(rapidjson::ParseErrorCode code) {
  switch (code) {
    case rapidjson::kParseErrorDocumentRootNotSingular:
      return "nothing but white space may follow the JSON value";
    case rapidjson::kParseErrorObjectMissName:
      return "a member name in quotes is expected";
    case rapidjson::kParseErrorObjectMissColon:
      return "a colon is expected after the member name";
    case rapidjson::kParseErrorObjectMissCommaOrCurlyBracket:
      return "a comma or a closing brace is expected";
    case rapidjson::kParseErrorArrayMissCommaOrSquareBracket:
      return "a comma or a closing bracket is expected";
    case rapidjson::kParseErrorStringUnicodeEscapeInvalidHex:
      return "four hex digits are expected in the escape";
    case rapidjson::kParseErrorStringUnicodeSurrogateInvalid:
      return "a surrogate needs its other half: a pair of escapes is expected";
    case rapidjson::kParseErrorStringEscapeInvalid:
      return "a legal escape is expected, and control characters must be escaped";
    case rapidjson::kParseErrorStringMissQuotationMark:
      return "the closing quote of the string is expected";
    case rapidjson::kParseErrorStringInvalidEncoding:
      return "valid UTF-8 is expected";
    case rapidjson::kParseErrorNumberMissFraction:
    case rapidjson::kParseErrorNumberMissExponent:
    case rapidjson::kParseErrorNumberTooBig:
      return "a legal number is expected";
    default:
      return "a JSON value is expected";
  }
}

// UTF-8 that encodes U+D800..U+DFFF: what `\udc00` decodes to.
bool HasSurrogate(std::string_view text) {
  for (size_t i = text.find('\xED'); i != std::string_view::npos; i = text.find('\xED', i + 1)) {
    if (i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) >= 0xA0) return true;
  }
  return false;
}

void Fill(std::string& buffer, std::string_view text) {
  buffer.reserve(text.size() + kPadding);
  buffer = text;
  buffer.append(kPadding, '\0');
}

// Sets every legal number outside strings to 0, leaving all else in its place.
void ZeroNumbers(std::string& text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\') ++i;
      }
    } else if (text[i] == '-' || (text[i] >= '0' && text[i] <= '9')) {
      const size_t length = NumberLength(std::string_view(text).substr(i));
      if (IsJsonNumber(std::string_view(text).substr(i, length))) {
        text.replace(i, length, length, ' ');
        text[i] = '0';
      }
      i += length - 1;
    }
  }
}

// RapidJSON's handler. Its stream is at the start of a string or number when it reports one (it works on a copy of the
// stream), after a literal, and at the bracket of an array or object.
class Handler {
 public:
  Handler(std::string_view text, rapidjson::InsituStringStream& stream, JsonVisitor& visitor)
      : text_(text),
        stream_(stream),
        visitor_(visitor),
        may_have_surrogates_(text.find("\\u") != std::string_view::npos ||
                             text.find('\xED') != std::string_view::npos) {}

  bool Null() { return Literal(JsonKind::kNull, 4); }
  bool Bool(bool value) { return Literal(value ? JsonKind::kTrue : JsonKind::kFalse, value ? 4 : 5); }

  bool RawNumber(const char*, rapidjson::SizeType, bool) {
    const size_t begin = stream_.Tell();
    const std::string_view number = text_.substr(begin, NumberLength(text_.substr(begin)));
    // RapidJSON would stop behind the legal beginning of `1e5.5` only afterwards.
    if (!IsJsonNumber(number)) return Refuse(begin, "a legal number is expected");
    if (!beyond_double_.has_value() && IsBeyondDouble(number)) beyond_double_ = begin;
    visitor_.Scalar(JsonKind::kNumber, begin, number);
    return true;
  }

  bool String(const char* data, rapidjson::SizeType size, bool) {
    const std::string_view text(data, size);
    if (!CheckString(text)) return false;
    visitor_.Scalar(JsonKind::kString, stream_.Tell(), text);
    return true;
  }

  bool Key(const char* data, rapidjson::SizeType size, bool) {
    const std::string_view name(data, size);
    if (!CheckString(name)) return false;
    if (!names_.Add(name)) return Refuse(stream_.Tell(), "a name that the object does not have yet is expected");
    visitor_.Name(name);
    return true;
  }

  bool StartObject() {
    if (!Open(JsonKind::kObject)) return false;
    names_.OpenObject();
    return true;
  }

  bool EndObject(rapidjson::SizeType) {
    names_.CloseObject();
    return Close();
  }

  bool StartArray() { return Open(JsonKind::kArray); }
  bool EndArray(rapidjson::SizeType) { return Close(); }

  // Numbers come as text.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(int64_t) { return false; }
  bool Uint64(uint64_t) { return false; }
  bool Double(double) { return false; }

  const absl::Status& error() const { return error_; }
  std::optional<size_t> beyond_double() const { return beyond_double_; }

 private:
  bool Literal(JsonKind kind, size_t length) {
    visitor_.Scalar(kind, stream_.Tell() - length, {});
    return true;
  }

  bool Open(JsonKind kind) {
    if (++depth_ > kMaxJsonDepth) return Refuse(stream_.Tell(), "nesting of at most 64 levels is expected");
    visitor_.Open(kind, stream_.Tell());
    return true;
  }

  bool Close() {
    --depth_;
    visitor_.Close(stream_.Tell() + 1);
    return true;
  }

  bool CheckString(std::string_view text) {
    if (!may_have_surrogates_ || !HasSurrogate(text)) return true;
    return Refuse(stream_.Tell(), "a string without lone surrogates is expected");
  }

  bool Refuse(size_t offset, const char* expected) {
    error_ = NotJson(offset, expected);
    return false;
  }

  const std::string_view text_;
  rapidjson::InsituStringStream& stream_;
  JsonVisitor& visitor_;
  const bool may_have_surrogates_;
  size_t depth_ = 0;
  UniqueNames names_;
  absl::Status error_;
  std::optional<size_t> beyond_double_;
};

// One pass over `buffer`, which is the text or has the same shape. `stopped_at_number`: RapidJSON found one too big.
absl::Status ReadOnce(std::string_view text, std::string& buffer, JsonVisitor& visitor, bool& stopped_at_number) {
  rapidjson::InsituStringStream stream(buffer.data());
  Handler handler(text, stream, visitor);
  rapidjson::Reader reader;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, handler);
  stopped_at_number = result.Code() == rapidjson::kParseErrorNumberTooBig;
  if (!handler.error().ok()) return handler.error();
  if (result.IsError()) return NotJson(result.Offset(), Expected(result.Code()));
  if (handler.beyond_double().has_value()) {
    return absl::FailedPreconditionError(
        absl::StrCat("byte ", *handler.beyond_double(), ": a number in the range of a double is expected"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status JsonReader::Read(JsonVisitor& visitor) {
  if (text_.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
    return NotJson(0, "UTF-8 without a byte-order mark is expected");
  }
  const size_t nul = text_.find('\0');
  if (nul != std::string_view::npos) return NotJson(nul, "a raw NUL is never legal; \\u0000 in a string is expected");
  bool stopped_at_number = false;
  Fill(buffer_, text_);
  absl::Status status = ReadOnce(text_, buffer_, visitor, stopped_at_number);
  if (!stopped_at_number) return status;
  visitor.Restart();
  Fill(buffer_, text_);
  ZeroNumbers(buffer_);
  return ReadOnce(text_, buffer_, visitor, stopped_at_number);
}

size_t ScalarLength(std::string_view text, size_t begin) {
  if (text[begin] != '"') {
    const size_t end = text.find_first_of(",]} \t\n\r", begin);
    return (end == std::string_view::npos ? text.size() : end) - begin;
  }
  size_t end = begin + 1;
  while (text[end] != '"') end += text[end] == '\\' ? 2 : 1;
  return end + 1 - begin;
}

}  // namespace refund_relay
