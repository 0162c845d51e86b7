#include "server/ingress/credentials.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace refund_relay {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::string_view BaseName(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

absl::Status BadLine(std::string_view path, size_t line, absl::string_view problem) {
  return absl::InvalidArgumentError(
      absl::StrCat(absl::string_view(path.data(), path.size()), ", line ", line, ": ", problem));
}

// Calls `visit(key, line text, line number)` for each line that is not empty.
template <typename Visit>
absl::Status ForEachLine(std::string_view path, std::string_view content, Visit visit) {
  bool any = false;
  size_t number = 0;
  while (!content.empty()) {
    ++number;
    const size_t end = content.find('\n');
    std::string_view line = content.substr(0, end);
    content.remove_prefix(end == std::string_view::npos ? content.size() : end + 1);
    line = line.substr(0, line.find_last_not_of(" \t\r\v\f") + 1);
    if (line.empty()) continue;
    if (line.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
      return BadLine(path, number, "starts with a byte-order mark; save the file as plain UTF-8 without one");
    }
    const bool has_control =
        std::any_of(line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    if (has_control) return BadLine(path, number, "holds a control character; a credential is one line of text");
    const std::string_view base = BaseName(path);
    if (const absl::Status status =
            visit(absl::StrCat(absl::string_view(base.data(), base.size()), ":", number), line, number);
        !status.ok()) {
      return status;
    }
    any = true;
  }
  if (any) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(absl::string_view(path.data(), path.size()), " holds no credential; write one a line"));
}

}  // namespace

absl::StatusOr<std::vector<WebhookSecret>> ParseSecretFile(std::string_view path, std::string_view content) {
  std::vector<WebhookSecret> secrets;
  const absl::Status status = ForEachLine(path, content, [&](std::string key, std::string_view line, size_t) {
    secrets.push_back({std::move(key), SecretText(line)});
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return secrets;
}

absl::StatusOr<std::vector<BasicPair>> ParseBasicFile(std::string_view path, std::string_view content) {
  std::vector<BasicPair> pairs;
  const absl::Status status = ForEachLine(path, content, [&](std::string key, std::string_view line, size_t number) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == line.size()) {
      return BadLine(path, number, "is not `user:password`");
    }
    pairs.push_back({std::move(key), Sha256({line})});
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return pairs;
}

}  // namespace refund_relay
