#include "server/translate/unique_names.h"

#include <algorithm>

namespace refund_relay {
namespace {

absl::string_view Absl(std::string_view text) { return absl::string_view(text.data(), text.size()); }

uint64_t ClassOf(std::string_view name) {
  if (name.empty()) return 1;
  const size_t first = static_cast<unsigned char>(name.front());
  const size_t last = static_cast<unsigned char>(name.back());
  return uint64_t{1} << ((name.size() * 7 + first * 3 + last) % 64);
}

}  // namespace

void UniqueNames::OpenObject() { objects_.push_back(Object{names_.size(), 0, nullptr}); }

void UniqueNames::CloseObject() {
  names_.resize(objects_.back().first_name);
  objects_.pop_back();
}

bool UniqueNames::Add(std::string_view name) {
  Object& object = objects_.back();
  if (object.hashed != nullptr) return object.hashed->insert(Absl(name)).second;
  const auto begin = names_.begin() + static_cast<std::ptrdiff_t>(object.first_name);
  const uint64_t name_class = ClassOf(name);
  if ((object.seen & name_class) != 0 && std::find(begin, names_.end(), name) != names_.end()) return false;
  object.seen |= name_class;
  names_.push_back(name);
  if (names_.size() - object.first_name > kMaxSearched) {
    object.hashed = std::make_unique<absl::flat_hash_set<absl::string_view>>();
    for (size_t i = object.first_name; i < names_.size(); ++i) object.hashed->insert(Absl(names_[i]));
  }
  return true;
}

void UniqueNames::Clear() {
  names_.clear();
  objects_.clear();
}

}  // namespace refund_relay
