// XXH3-64 of a string.
#ifndef REFUND_RELAY_CLIENT_XXH3_H_
#define REFUND_RELAY_CLIENT_XXH3_H_

#include <cstdint>
#include <string_view>

namespace refund_relay {

// Detects damage, and names an event in Position.event_hash; protects against nobody. Pure.
uint64_t Xxh3(std::string_view text);

}  // namespace refund_relay

#endif  // REFUND_RELAY_CLIENT_XXH3_H_
