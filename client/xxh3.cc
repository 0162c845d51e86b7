#include "client/xxh3.h"

// Compiled in, so that what links the installed library does not need this one as well.
#define XXH_INLINE_ALL
#include "xxhash.h"

namespace refund_relay {

uint64_t Xxh3(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

}  // namespace refund_relay
