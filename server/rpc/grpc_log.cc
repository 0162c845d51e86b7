#include "server/rpc/grpc_log.h"

#include <grpc/support/log.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "absl/time/clock.h"
#include "server/ops/log_limiter.h"
#include "server/ops/logging.h"

namespace refund_relay {
namespace {

constexpr int kMostLinesPerSecond = 10;

// gRPC quotes peers in its messages: metadata that it does not understand, names that a ClientHello asks for. So only
// texts that are known to hold nothing but gRPC's and OpenSSL's own words are told; source and line stand for the
// others.
constexpr std::array<std::string_view, 1> kOwnWords = {"Handshake failed with fatal error "};

std::string_view OwnWords(std::string_view text) {
  const bool known = std::any_of(kOwnWords.begin(), kOwnWords.end(),
                                 [text](std::string_view words) { return text.substr(0, words.size()) == words; });
  return known ? text : "(not told: it may quote a peer)";
}

void Take(gpr_log_func_args* line) {
  static LogLimiter& limit =
      *new LogLimiter(kMostLinesPerSecond, absl::Seconds(1));  // never destroyed: threads of gRPC may outlive main
  const std::optional<uint64_t> left_out = limit.Admit(absl::Now());
  if (!left_out.has_value()) return;
  const std::string_view path = line->file;
  Log(line->severity == GPR_LOG_SEVERITY_ERROR ? LogLevel::kWarning : LogLevel::kInfo, "gRPC reports",
      {{"source", path.substr(path.rfind('/') + 1)},
       {"source_line", line->line},
       {"text", OwnWords(line->message)},
       {"lines_not_logged", *left_out}});
}

}  // namespace

void TakeGrpcLog() { gpr_set_log_function(Take); }

}  // namespace refund_relay
