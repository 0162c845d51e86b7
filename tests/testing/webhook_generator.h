// Makes refund webhooks, odd but legal, from a seed: the same seed gives the same webhooks on every machine.
#ifndef REFUND_RELAY_TESTS_TESTING_WEBHOOK_GENERATOR_H_
#define REFUND_RELAY_TESTS_TESTING_WEBHOOK_GENERATOR_H_

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace refund_relay::testing {

// Not thread-safe.
class WebhookGenerator {
 public:
  explicit WebhookGenerator(uint64_t seed) : random_(seed) {}

  // A webhook that looks like the vendor's: every member, one of the three names, its own refund id. Compact.
  std::string Plain();

  // A webhook that must be accepted: members left out, reordered, of other types, spelled otherwise; unknown members at
  // every level; any white space and escapes.
  std::string Odd();

  // As Odd, but required members too may be missing or of another type: legal JSON that may be refused.
  std::string Wild();

 private:
  struct Member;

  // A JSON value to be rendered; `text` is the decoded string, or the text of another scalar.
  struct Value {
    enum class Kind { kText, kString, kArray, kObject } kind;
    std::string text;
    std::vector<Member> members;  // names are empty in arrays
  };

  struct Member {
    std::string name;
    Value value;
  };

  uint64_t Below(uint64_t bound) { return random_() % bound; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  template <typename T, size_t N>
  const T& Any(const T (&choices)[N]) {
    return choices[Below(N)];
  }

  static Value Text(std::string json);
  static Value String(std::string text);
  std::string Hex(size_t digits);
  Value Webhook();
  Value AnyNumber();
  Value AnyString();
  Value AnyValue(int depth);
  std::string AnyName();
  void MakeOdd(Value& object, const std::string& path, bool spare_required);
  void Spell(Value& value, const std::string& path);
  void Shuffle(Value& object);

  std::string Render(const Value& value, bool plain);
  void Append(const Value& value, bool plain, std::string& out);
  void AppendString(std::string_view text, bool plain, std::string& out);
  void AppendSpace(bool plain, std::string& out);

  std::mt19937_64 random_;
};

}  // namespace refund_relay::testing

#endif  // REFUND_RELAY_TESTS_TESTING_WEBHOOK_GENERATOR_H_
