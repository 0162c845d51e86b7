// SecretText and Wipe: nothing of a secret is left where it was.
#include "server/ops/secret_text.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace refund_relay {
namespace {

constexpr std::string_view kSecret = "kT9wLr3VxQ7mZp2B";

// Memory that a test may look at after it was given back.
struct Arena {
  std::array<char, 4096> bytes{};
  size_t used = 0;

  bool Has(std::string_view text) const {
    return std::string_view(bytes.data(), bytes.size()).find(text) != std::string_view::npos;
  }
};

template <typename T>
class ArenaAllocator {
 public:
  using value_type = T;
  explicit ArenaAllocator(Arena& arena) : arena_(&arena) {}

  T* allocate(size_t count) {
    EXPECT_LE(arena_->used + count * sizeof(T), arena_->bytes.size());
    return reinterpret_cast<T*>(arena_->bytes.data() + std::exchange(arena_->used, arena_->used + count * sizeof(T)));
  }
  void deallocate(T*, size_t) {}
  friend bool operator==(const ArenaAllocator& a, const ArenaAllocator& b) { return a.arena_ == b.arena_; }

 private:
  Arena* arena_;
};

TEST(WipingAllocatorTest, NothingIsLeftInTheMemoryThatIsGivenBack) {
  Arena arena;
  {
    const ArenaAllocator<char> upstream(arena);
    std::vector<char, WipingAllocator<char, ArenaAllocator<char>>> bytes{
        WipingAllocator<char, ArenaAllocator<char>>(upstream)};
    for (const char c : kSecret) bytes.push_back(c);  // grows, and leaves smaller places behind
    EXPECT_TRUE(arena.Has(kSecret));
    EXPECT_GT(arena.used, bytes.capacity());
  }
  EXPECT_EQ(std::count(arena.bytes.begin(), arena.bytes.end(), '\0'), static_cast<std::ptrdiff_t>(arena.bytes.size()));
}

TEST(SecretTextTest, HoldsItsTextOutsideItselfAndCopiesAndMovesIt) {
  const SecretText secret(kSecret);
  EXPECT_EQ(secret.view(), kSecret);
  EXPECT_EQ(std::string(secret.c_str()), kSecret);
  const std::string_view object(reinterpret_cast<const char*>(&secret), sizeof(secret));
  EXPECT_EQ(object.find(kSecret), std::string_view::npos);
  SecretText copy = secret;
  EXPECT_NE(copy.view().data(), secret.view().data());
  const char* const place = copy.view().data();
  const SecretText moved = std::move(copy);
  EXPECT_EQ(moved.view().data(), place);
  EXPECT_EQ(moved.view(), kSecret);
  EXPECT_EQ(SecretText().view(), "");
}

TEST(WipeTest, OverwritesTheTextItsSpareRoomAndTheStringItself) {
  for (const size_t size : {size_t{3}, kSecret.size()}) {  // inside the string object, and on the heap
    std::string text(kSecret.substr(0, size));
    text.resize(size / 2);  // the rest is spare room now
    const char* const place = text.data();
    const size_t room = text.capacity();
    Wipe(text);
    EXPECT_TRUE(text.empty());
    ASSERT_EQ(text.data(), place);
    ASSERT_EQ(text.capacity(), room);
    // Up to `room` the bytes are the string's, whatever its size.
    EXPECT_EQ(std::string_view(place, room), std::string(room, '\0'));
  }
}

}  // namespace
}  // namespace refund_relay
