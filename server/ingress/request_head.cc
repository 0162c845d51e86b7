#include "server/ingress/request_head.h"

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace refund_relay {
namespace {

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(absl::string_view(a.data(), a.size()), absl::string_view(b.data(), b.size()));
}

}  // namespace

std::string_view RequestHead::path() const {
  std::string_view path = At(target_);
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (path.size() > scheme.size() && EqualsIgnoreCase(path.substr(0, scheme.size()), scheme)) {
      const size_t slash = path.find('/', scheme.size());
      path = slash == std::string_view::npos ? std::string_view() : path.substr(slash);
      break;
    }
  }
  return path.substr(0, path.find('?'));
}

size_t RequestHead::Count(std::string_view name) const {
  size_t count = 0;
  ForEach(name, [&count](std::string_view) { ++count; });
  return count;
}

std::string_view RequestHead::Value(std::string_view name) const {
  for (const Field& field : fields_) {
    if (IsCalled(field, name)) return At(field.value);
  }
  return {};
}

bool RequestHead::ExpectsContinue() const { return is_http11 && EqualsIgnoreCase(Value("Expect"), "100-continue"); }

void RequestHead::Clear() {
  is_http11 = false;
  chunked = false;
  content_length.reset();
  text_.clear();
  method_ = {};
  target_ = {};
  fields_.clear();
}

void RequestHead::SetRequestLine(std::string_view method, std::string_view target) {
  method_ = Store(method);
  target_ = Store(target);
}

void RequestHead::AddField(std::string_view name, std::string_view value) {
  const Span stored_name = Store(name);
  fields_.push_back({stored_name, Store(value)});
}

bool RequestHead::IsCalled(const Field& field, std::string_view name) const {
  return field.name.size == name.size() && EqualsIgnoreCase(At(field.name), name);
}

RequestHead::Span RequestHead::Store(std::string_view text) {
  const Span span{static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(text.size())};
  text_.append(text);
  return span;
}

}  // namespace refund_relay
