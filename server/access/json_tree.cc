#include "server/access/json_tree.h"

#include <utility>

namespace refund_relay {
namespace {

class TreeBuilder final : public JsonVisitor {
 public:
  void Restart() override {
    open_.clear();
    root_ = JsonValue();
  }
  void Name(std::string_view name) override { name_ = std::string(name); }
  void Scalar(JsonKind kind, size_t, std::string_view text) override { Add({kind, std::string(text), {}, {}}); }
  void Open(JsonKind kind, size_t) override { open_.push_back({std::move(name_), {kind, {}, {}, {}}}); }
  void Close(size_t) override {
    auto [name, value] = std::move(open_.back());
    open_.pop_back();
    name_ = std::move(name);
    Add(std::move(value));
  }

  JsonValue Take() { return std::move(root_); }

 private:
  void Add(JsonValue value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (JsonValue& parent = open_.back().value; parent.is(JsonKind::kObject)) {
      parent.members.push_back({std::move(name_), std::move(value)});
    } else {
      parent.items.push_back(std::move(value));
    }
    name_.clear();
  }

  JsonValue root_;
  std::string name_;              // of the value that comes next
  std::vector<JsonMember> open_;  // the arrays and objects around it, with their names
};

}  // namespace

const JsonValue* FindMember(const JsonValue& object, std::string_view name) {
  for (const JsonMember& member : object.members) {
    if (member.name == name) return &member.value;
  }
  return nullptr;
}

absl::StatusOr<JsonValue> ReadJsonTree(std::string_view json) {
  TreeBuilder builder;
  if (absl::Status status = JsonReader(json).Read(builder); !status.ok()) return status;
  return builder.Take();
}

}  // namespace refund_relay
