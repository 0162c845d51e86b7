#include "client/refundctl/webhook_credentials.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace refund_relay {
namespace {

// It leaves no copy where it grew out of, nor in the buffer of a stream.
using Bytes = std::vector<char, WipingAllocator<char>>;

absl::StatusOr<Bytes> ReadBytes(const std::string& path) {
  constexpr size_t kStep = 16384;
  const bool from_stdin = path == "-";
  const int file = from_stdin ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const absl::Cleanup close_file = [file, from_stdin] {
    if (file >= 0 && !from_stdin) close(file);
  };
  Bytes bytes;
  size_t size = 0;
  ssize_t got = file < 0 ? -1 : 1;
  while (got > 0) {
    bytes.resize(size + kStep);
    do {
      got = read(file, bytes.data() + size, kStep);
    } while (got < 0 && errno == EINTR);
    if (got > 0) size += static_cast<size_t>(got);
  }
  if (got < 0) {
    return absl::NotFoundError(absl::StrCat(path, " cannot be read: ", std::generic_category().message(errno)));
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace

std::string SignWebhook(std::string_view secret, std::string_view body) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(body.data()), body.size(), digest.data(), &size);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest.data()), static_cast<size_t>(size)));
}

std::string BasicAuthorization(std::string_view user_password) {
  return absl::StrCat("Basic ", absl::Base64Escape(std::string(user_password)));
}

absl::StatusOr<SecretText> ReadFirstSecret(const std::string& path) {
  const auto content = ReadBytes(path);
  if (!content.ok()) return content.status();
  absl::string_view rest(content->data(), content->size());
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const absl::string_view secret = absl::StripTrailingAsciiWhitespace(rest.substr(0, end));
    if (!secret.empty()) return SecretText({secret.data(), secret.size()});
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return absl::FailedPreconditionError(absl::StrCat(path, " holds no secret; write one a line"));
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path) {
  const auto content = ReadBytes(path);
  if (!content.ok()) return content.status();
  return std::string(content->data(), content->size());
}

}  // namespace refund_relay
