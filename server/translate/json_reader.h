// A strict JSON reader: raw bytes in, events with their places in the text out.
#ifndef REFUND_RELAY_SERVER_TRANSLATE_JSON_READER_H_
#define REFUND_RELAY_SERVER_TRANSLATE_JSON_READER_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace refund_relay {

// Deeper nesting than this is refused; a value in no array or object has depth 0.
inline constexpr size_t kMaxJsonDepth = 64;

enum class JsonKind : unsigned char { kNull, kFalse, kTrue, kNumber, kString, kArray, kObject };

// Receives what JsonReader finds, in the order of the text. Names and texts live as long as the reader.
class JsonVisitor {
 public:
  virtual ~JsonVisitor() = default;
  // Forget everything: the text is read again from its start.
  virtual void Restart() = 0;
  // The next value's name in the innermost open object.
  virtual void Name(std::string_view name) = 0;
  // A value of no members; `text` is the decoded string, the number as written, or empty.
  virtual void Scalar(JsonKind kind, size_t begin, std::string_view text) = 0;
  // An array or object starts at `begin`.
  virtual void Open(JsonKind kind, size_t begin) = 0;
  // The innermost array or object ended just before `end`.
  virtual void Close(size_t end) = 0;
};

// Reads one text. Not thread-safe. Stack use is constant; memory is a small multiple of the text's size.
class JsonReader {
 public:
  // `text` must outlive the reader.
  explicit JsonReader(std::string_view text) : text_(text) {}
  JsonReader(const JsonReader&) = delete;
  JsonReader& operator=(const JsonReader&) = delete;

  // Reads everything. On an error the visitor has seen a part of the text at most. Call once.
  //
  // Errors name the byte offset and what is expected there, and quote nothing from the text:
  // - INVALID_ARGUMENT: not JSON (RFC 8259, UTF-8), or a byte-order mark, a raw NUL, a lone surrogate (escaped or not),
  // a
  //   name twice in one object (compared as decoded), nesting deeper than kMaxJsonDepth, anything after the value.
  // - FAILED_PRECONDITION: JSON, but a number is beyond the range of a double.
  absl::Status Read(JsonVisitor& visitor);

 private:
  const std::string_view text_;
  std::string buffer_;  // a copy of the text, in which strings are decoded in place
};

// The length of the scalar that starts at `begin` of a `text` that JsonReader has accepted.
size_t ScalarLength(std::string_view text, size_t begin);

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_TRANSLATE_JSON_READER_H_
