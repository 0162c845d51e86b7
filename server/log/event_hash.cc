// EventHash: the name that a position gives to its event.
#include <xxhash.h>

#include "server/log/event_log.h"

namespace refund_relay {

uint64_t EventHash(std::string_view event_id) { return XXH3_64bits(event_id.data(), event_id.size()); }

}  // namespace refund_relay
