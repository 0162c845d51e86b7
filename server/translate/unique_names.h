// Finds a member name that comes twice in one JSON object.
#ifndef REFUND_RELAY_SERVER_TRANSLATE_UNIQUE_NAMES_H_
#define REFUND_RELAY_SERVER_TRANSLATE_UNIQUE_NAMES_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"

namespace refund_relay {

// The names of every object that is open, innermost last. Names are not copied. Not thread-safe.
class UniqueNames {
 public:
  void OpenObject();
  void CloseObject();
  // Adds a name to the innermost object; false if it has it already. Constant time on average, whatever the names.
  bool Add(std::string_view name);
  void Clear();

 private:
  // Objects of at most this many names are searched, greater ones hashed.
  static constexpr size_t kMaxSearched = 24;

  struct Object {
    size_t first_name;
    uint64_t seen = 0;  // one bit for each class of names met: a name of a new class needs no search
    std::unique_ptr<absl::flat_hash_set<absl::string_view>> hashed;
  };

  std::vector<std::string_view> names_;
  std::vector<Object> objects_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_TRANSLATE_UNIQUE_NAMES_H_
