// The head of one HTTP request: request line and header fields.
#ifndef REFUND_RELAY_SERVER_INGRESS_REQUEST_HEAD_H_
#define REFUND_RELAY_SERVER_INGRESS_REQUEST_HEAD_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace refund_relay {

// Owns one copy of the head's text; reused from request to request, so that it soon allocates nothing. Views that it
// returns are valid until the next non-const call. Not thread-safe.
class RequestHead {
 public:
  bool is_http11 = false;
  bool chunked = false;                    // Transfer-Encoding: chunked
  std::optional<uint64_t> content_length;  // in bytes; unset if there was none

  std::string_view method() const { return At(method_); }
  // The target without its query; of an absolute target (`http://host/path`) the path.
  std::string_view path() const;

  // How many fields are called `name` (any case).
  size_t Count(std::string_view name) const;
  // The value of the first field called `name` (any case), without white space around it; empty if there is none.
  std::string_view Value(std::string_view name) const;
  // All values of fields called `name`, in order, visited by `visit(std::string_view)`.
  template <typename Visit>
  void ForEach(std::string_view name, Visit visit) const {
    for (const Field& field : fields_) {
      if (IsCalled(field, name)) visit(At(field.value));
    }
  }
  size_t field_count() const { return fields_.size(); }

  // The sender waits for `100 Continue` before it sends the body. HTTP/1.0 knows no such thing (RFC 9110, 10.1.1).
  bool ExpectsContinue() const;

  // For the parser.
  void Clear();
  void SetRequestLine(std::string_view method, std::string_view target);
  void AddField(std::string_view name, std::string_view value);

 private:
  struct Span {
    uint32_t begin = 0;
    uint32_t size = 0;
  };
  struct Field {
    Span name;
    Span value;
  };

  std::string_view At(Span span) const { return std::string_view(text_).substr(span.begin, span.size); }
  bool IsCalled(const Field& field, std::string_view name) const;
  Span Store(std::string_view text);

  std::string text_;
  Span method_;
  Span target_;
  std::vector<Field> fields_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_INGRESS_REQUEST_HEAD_H_
