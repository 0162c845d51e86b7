// How: RapidJSON's events become a small tree with number texts, and two trees are compared. (RapidJSON's own document
// knows numbers only as doubles, and its header does not compile with clang 19.)
#include "tests/testing/json_equal.h"

#include <rapidjson/reader.h>

#include <map>
#include <optional>
#include <vector>

namespace refund_relay::testing {
namespace {

constexpr size_t kMaxDepth = 200;

struct Tree {
  char kind = 'n';   // as the first character of JSON: n, t, f, 0, ", [ or {
  std::string text;  // of numbers and strings
  std::vector<Tree> elements;
  std::map<std::string, Tree> members;
};

class TreeBuilder {
 public:
  bool Null() { return Add(Tree{'n', {}, {}, {}}); }
  bool Bool(bool value) { return Add(Tree{value ? 't' : 'f', {}, {}, {}}); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
    return Add(Tree{'0', std::string(text, size), {}, {}});
  }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    return Add(Tree{'"', std::string(text, size), {}, {}});
  }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    names_.back().assign(text, size);
    return open_.back().members.find(names_.back()) == open_.back().members.end();
  }
  bool StartObject() { return Open('{'); }
  bool EndObject(rapidjson::SizeType) { return Close(); }
  bool StartArray() { return Open('['); }
  bool EndArray(rapidjson::SizeType) { return Close(); }
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(int64_t) { return false; }
  bool Uint64(uint64_t) { return false; }
  bool Double(double) { return false; }

  const Tree& root() const { return root_; }

 private:
  bool Add(Tree tree) {
    if (open_.empty()) {
      root_ = std::move(tree);
    } else if (open_.back().kind == '[') {
      open_.back().elements.push_back(std::move(tree));
    } else {
      open_.back().members.emplace(names_.back(), std::move(tree));
    }
    return true;
  }

  bool Open(char kind) {
    open_.push_back(Tree{kind, {}, {}, {}});
    names_.emplace_back();
    return open_.size() <= kMaxDepth;
  }

  bool Close() {
    Tree tree = std::move(open_.back());
    open_.pop_back();
    names_.pop_back();
    return Add(std::move(tree));
  }

  Tree root_;
  std::vector<Tree> open_;
  std::vector<std::string> names_;  // one for each open value: the member that is being read
};

std::optional<Tree> Build(std::string_view json) {
  if (json.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string text(json);
  rapidjson::StringStream stream(text.c_str());
  rapidjson::Reader reader;
  TreeBuilder builder;
  constexpr unsigned kFlags =
      rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag | rapidjson::kParseNumbersAsStringsFlag;
  if (reader.Parse<kFlags>(stream, builder).IsError()) return std::nullopt;
  return builder.root();
}

std::string Difference(const Tree& a, const Tree& b, const std::string& path) {
  if (a.kind != b.kind) return path + ": other types";
  if (a.text != b.text) return path + ": " + a.text + " is not " + b.text;
  if (a.elements.size() != b.elements.size()) return path + ": other lengths";
  for (size_t i = 0; i < a.elements.size(); ++i) {
    std::string difference = Difference(a.elements[i], b.elements[i], path + "/" + std::to_string(i));
    if (!difference.empty()) return difference;
  }
  if (a.members.size() != b.members.size()) return path + ": other numbers of members";
  for (const auto& [name, member] : a.members) {
    const auto other = b.members.find(name);
    if (other == b.members.end()) return path + ": only one has " + name;
    std::string difference = Difference(member, other->second, path + "/" + name);
    if (!difference.empty()) return difference;
  }
  return "";
}

}  // namespace

std::string JsonDifference(std::string_view a, std::string_view b) {
  const std::optional<Tree> tree_a = Build(a);
  const std::optional<Tree> tree_b = Build(b);
  if (!tree_a.has_value() || !tree_b.has_value()) return ": not JSON";
  return Difference(*tree_a, *tree_b, "");
}

}  // namespace refund_relay::testing
