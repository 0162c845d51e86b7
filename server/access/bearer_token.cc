#include "server/access/bearer_token.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace refund_relay {
namespace {

constexpr std::string_view kScheme = "Bearer ";
constexpr std::string_view kHashPrefix = "sha256:";

// RFC 6750, section 2.1: b64token.
bool IsToken(std::string_view text) {
  const size_t end = text.find_last_not_of('=');
  if (end == std::string_view::npos) return false;
  const std::string_view body = text.substr(0, end + 1);
  return std::all_of(body.begin(), body.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("-._~+/").find(c) != std::string_view::npos;
  });
}

int LowerHexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::optional<std::string_view> TokenOf(std::string_view value) {
  if (!absl::StartsWithIgnoreCase(absl::string_view(value.data(), value.size()),
                                  absl::string_view(kScheme.data(), kScheme.size()))) {
    return std::nullopt;
  }
  value.remove_prefix(kScheme.size());
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  if (value.size() > kLongestTokenBytes || !IsToken(value)) return std::nullopt;
  return value;
}

bool LooksLikeJwt(std::string_view token) { return std::count(token.begin(), token.end(), '.') == 2; }

absl::Status CheckToken(std::string_view token) {
  if (!IsToken(token)) {
    return absl::InvalidArgumentError(
        "a bearer token has only letters, digits and -._~+/, and may end with =; make one with `openssl rand -base64 "
        "32`");
  }
  if (token.size() < kShortestTokenBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("the token has ", token.size(), " characters, and one of less than ", kShortestTokenBytes,
                     " could be guessed from its hash; make one with `openssl rand -base64 32`"));
  }
  return absl::OkStatus();
}

std::string TokenHashText(const Sha256Digest& hash) { return std::string(kHashPrefix) + LowerHex(hash); }

std::optional<Sha256Digest> ParseTokenHash(std::string_view text) {
  Sha256Digest hash;
  if (text.substr(0, kHashPrefix.size()) != kHashPrefix) return std::nullopt;
  text.remove_prefix(kHashPrefix.size());
  if (text.size() != 2 * hash.size()) return std::nullopt;
  for (size_t i = 0; i < hash.size(); ++i) {
    const int high = LowerHexDigit(text[2 * i]);
    const int low = LowerHexDigit(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    hash[i] = static_cast<unsigned char>(high << 4 | low);
  }
  return hash;
}

}  // namespace refund_relay
