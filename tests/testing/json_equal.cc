#include "tests/testing/json_equal.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace refund_relay::testing {
namespace {

constexpr int kMaxDepth = 200;

struct Tree {
  char kind = 'n';   // as the first character of JSON: n, t, f, 0, ", [ or {
  std::string text;  // of numbers and strings
  std::vector<Tree> elements;
  std::map<std::string, Tree> members;
};

// Recursive descent over one text, kMaxDepth levels at most. Every function is false on what is not JSON.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool ReadAll(Tree& tree) {
    if (!ReadValue(tree, 0)) return false;
    SkipSpace();
    return rest_.empty();
  }

 private:
  bool ReadValue(Tree& tree, int depth) {
    if (depth > kMaxDepth) return false;
    SkipSpace();
    tree.kind = rest_.empty() ? '?' : rest_.front();
    switch (tree.kind) {
      case '{':
        return ReadObject(tree, depth);
      case '[':
        return ReadArray(tree, depth);
      case '"':
        return ReadString(tree.text);
      case 'n':
        return TakeWord("null");
      case 't':
        return TakeWord("true");
      case 'f':
        return TakeWord("false");
      default:
        tree.kind = '0';
        return ReadNumber(tree.text);
    }
  }

  bool ReadObject(Tree& tree, int depth) {
    Take('{');
    if (SkipSpace(), Take('}')) return true;
    do {
      std::string name;
      SkipSpace();
      if (!ReadString(name)) return false;
      const auto [member, is_new] = tree.members.try_emplace(std::move(name));
      SkipSpace();
      if (!is_new || !Take(':') || !ReadValue(member->second, depth + 1)) return false;
      SkipSpace();
    } while (Take(','));
    return Take('}');
  }

  bool ReadArray(Tree& tree, int depth) {
    Take('[');
    if (SkipSpace(), Take(']')) return true;
    do {
      if (!ReadValue(tree.elements.emplace_back(), depth + 1)) return false;
      SkipSpace();
    } while (Take(','));
    return Take(']');
  }

  bool ReadNumber(std::string& text) {
    const std::string_view all = rest_;
    Take('-');
    if (!Take('0') && !TakeDigits()) return false;
    if (Take('.') && !TakeDigits()) return false;
    if (Take('e') || Take('E')) {
      if (!Take('+')) Take('-');
      if (!TakeDigits()) return false;
    }
    text = all.substr(0, all.size() - rest_.size());
    return true;
  }

  // Decodes to UTF-8. Raw bytes are copied: whether they are UTF-8 is not what is compared.
  bool ReadString(std::string& text) {
    if (!Take('"')) return false;
    while (!rest_.empty() && static_cast<unsigned char>(rest_.front()) >= 0x20) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (c != '\\') {
        text += c;
      } else if (!ReadEscape(text)) {
        return false;
      }
    }
    return false;
  }

  bool ReadEscape(std::string& text) {
    static constexpr std::string_view kLetters = "\"\\/bfnrt";
    static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (rest_.empty()) return false;
    const size_t letter = kLetters.find(rest_.front());
    if (letter != std::string_view::npos) {
      rest_.remove_prefix(1);
      text += kMeanings[letter];
      return true;
    }
    unsigned code_point = 0;
    if (!Take('u') || !ReadHex4(code_point)) return false;
    if (code_point >= 0xDC00 && code_point < 0xE000) return false;
    if (code_point >= 0xD800 && code_point < 0xDC00) {
      unsigned low = 0;
      if (!TakeWord("\\u") || !ReadHex4(low) || low < 0xDC00 || low >= 0xE000) return false;
      code_point = 0x10000 + ((code_point - 0xD800) << 10) + (low - 0xDC00);
    }
    AppendUtf8(code_point, text);
    return true;
  }

  bool ReadHex4(unsigned& value) {
    if (rest_.size() < 4) return false;
    for (const char c : rest_.substr(0, 4)) {
      const char lower = static_cast<char>(c | 0x20);
      if (c >= '0' && c <= '9') {
        value = value * 16 + static_cast<unsigned>(c - '0');
      } else if (lower >= 'a' && lower <= 'f') {
        value = value * 16 + static_cast<unsigned>(lower - 'a' + 10);
      } else {
        return false;
      }
    }
    rest_.remove_prefix(4);
    return true;
  }

  static void AppendUtf8(unsigned code_point, std::string& text) {
    const auto tail = [code_point](int shift) { return static_cast<char>(0x80 | ((code_point >> shift) & 0x3F)); };
    if (code_point < 0x80) {
      text += static_cast<char>(code_point);
    } else if (code_point < 0x800) {
      text += {static_cast<char>(0xC0 | code_point >> 6), tail(0)};
    } else if (code_point < 0x10000) {
      text += {static_cast<char>(0xE0 | code_point >> 12), tail(6), tail(0)};
    } else {
      text += {static_cast<char>(0xF0 | code_point >> 18), tail(12), tail(6), tail(0)};
    }
  }

  bool Take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool TakeWord(std::string_view word) {
    if (rest_.substr(0, word.size()) != word) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  bool TakeDigits() {
    const size_t count = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    rest_.remove_prefix(count);
    return count > 0;
  }

  void SkipSpace() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size())); }

  std::string_view rest_;
};

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
    if (other == b.members.end()) return absl::StrCat(path, ": only one has ", name);
    std::string difference = Difference(member, other->second, absl::StrCat(path, "/", name));
    if (!difference.empty()) return difference;
  }
  return "";
}

}  // namespace

std::string JsonDifference(std::string_view a, std::string_view b) {
  Tree tree_a;
  Tree tree_b;
  if (!Reader(a).ReadAll(tree_a) || !Reader(b).ReadAll(tree_b)) return ": not JSON";
  return Difference(tree_a, tree_b, "");
}

}  // namespace refund_relay::testing
