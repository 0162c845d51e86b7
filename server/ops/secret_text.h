// SecretText: a secret in memory that is overwritten when it is no longer held.
#ifndef REFUND_RELAY_SERVER_OPS_SECRET_TEXT_H_
#define REFUND_RELAY_SERVER_OPS_SECRET_TEXT_H_

#include <openssl/crypto.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace refund_relay {

// Overwrites the memory before it goes back to `Upstream`. OPENSSL_cleanse, because compilers remove a memset of what
// is about to be freed.
template <typename T, typename Upstream = std::allocator<T>>
class WipingAllocator {
 public:
  using value_type = T;
  template <typename U>
  struct rebind {
    using other = WipingAllocator<U, typename std::allocator_traits<Upstream>::template rebind_alloc<U>>;
  };

  explicit WipingAllocator(const Upstream& upstream = Upstream()) : upstream_(upstream) {}

  T* allocate(size_t count) { return upstream_.allocate(count); }
  void deallocate(T* memory, size_t count) {
    OPENSSL_cleanse(memory, count * sizeof(T));
    upstream_.deallocate(memory, count);
  }

  friend bool operator==(const WipingAllocator& a, const WipingAllocator& b) { return a.upstream_ == b.upstream_; }

 private:
  Upstream upstream_;
};

// A value; each copy is wiped by itself. Not thread-safe. (No std::string: short ones live in the object and stay there
// when they are moved.)
class SecretText {
 public:
  SecretText() : SecretText(std::string_view()) {}
  explicit SecretText(std::string_view text) : bytes_(text.begin(), text.end()) { bytes_.push_back('\0'); }

  std::string_view view() const { return {bytes_.data(), bytes_.size() - 1}; }
  // Ends with a NUL.
  const char* c_str() const { return bytes_.data(); }

 private:
  std::vector<char, WipingAllocator<char>> bytes_;
};

// Overwrites a text that passed through a string, with its spare room, and empties it.
inline void Wipe(std::string& text) {
  text.resize(text.capacity());
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_SECRET_TEXT_H_
