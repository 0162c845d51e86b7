#include "server/translate/canonical_json.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "server/translate/json_pointer.h"
#include "server/translate/json_reader.h"

namespace refund_relay {
namespace {

// Builds the text from the inside out: a value that ends is put into the array or object around it.
class CanonicalWriter final : public JsonVisitor {
 public:
  explicit CanonicalWriter(std::string_view left_out) : left_out_(left_out) {}

  void Restart() override {
    open_.clear();
    result_.clear();
    name_ = {};
  }
  void Name(std::string_view name) override { name_ = name; }
  void Scalar(JsonKind kind, size_t, std::string_view text) override {
    std::string value;
    switch (kind) {
      case JsonKind::kNull:
        value = "null";
        break;
      case JsonKind::kFalse:
        value = "false";
        break;
      case JsonKind::kTrue:
        value = "true";
        break;
      case JsonKind::kString:
        AppendJsonString(value, text);
        break;
      default:
        value = text;
    }
    Put(name_, std::move(value));
  }
  void Open(JsonKind kind, size_t) override { open_.push_back({kind, name_, {}}); }
  void Close(size_t) override {
    Container container = std::move(open_.back());
    open_.pop_back();
    const bool is_object = container.kind == JsonKind::kObject;
    if (is_object) std::sort(container.members.begin(), container.members.end());
    std::string value(1, is_object ? '{' : '[');
    for (const auto& [name, member] : container.members) {
      if (value.size() > 1) value += ',';
      if (is_object) {
        AppendJsonString(value, name);
        value += ':';
      }
      value += member;
    }
    value += is_object ? '}' : ']';
    Put(container.name, std::move(value));
  }

  std::string Take() { return std::move(result_); }

 private:
  struct Container {
    JsonKind kind;
    std::string_view name;  // in the one around it
    std::vector<std::pair<std::string_view, std::string>> members;
  };

  void Put(std::string_view name, std::string value) {
    if (open_.empty()) {
      result_ = std::move(value);
    } else if (open_.back().kind == JsonKind::kArray) {
      open_.back().members.emplace_back(std::string_view(), std::move(value));
    } else if (open_.size() > 1 || name != left_out_) {
      open_.back().members.emplace_back(name, std::move(value));
    }
  }

  const std::string_view left_out_;
  std::vector<Container> open_;
  std::string_view name_;
  std::string result_;
};

}  // namespace

absl::StatusOr<std::string> CanonicalJson(std::string_view json, std::string_view left_out) {
  JsonReader reader(json);
  CanonicalWriter writer(left_out);
  if (absl::Status read = reader.Read(writer); !read.ok()) return read;
  return writer.Take();
}

}  // namespace refund_relay
