#include "client/refundctl/webhook_credentials.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace refund_relay {

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

absl::StatusOr<std::string> ReadFirstSecret(const std::string& path) {
  const auto content = ReadWholeFile(path);
  if (!content.ok()) return content.status();
  std::istringstream lines(*content);
  for (std::string line; std::getline(lines, line);) {
    const std::string secret(absl::StripTrailingAsciiWhitespace(line));
    if (!secret.empty()) return secret;
  }
  return absl::FailedPreconditionError(absl::StrCat(path, " holds no secret; write one a line"));
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path) {
  errno = 0;
  std::ifstream file;
  if (path != "-") file.open(path, std::ios::binary);
  std::istream& in = path == "-" ? std::cin : file;
  std::ostringstream content;
  std::array<char, 16384> block;
  // Unlike the stream's iterators, read() tells of an error (such as that of a folder) without throwing.
  while (in.read(block.data(), block.size()) || in.gcount() > 0) content.write(block.data(), in.gcount());
  if (!in.eof()) {
    return absl::NotFoundError(
        absl::StrCat(path, " cannot be read", errno != 0 ? ": " : "", errno != 0 ? std::strerror(errno) : ""));
  }
  return content.str();
}

}  // namespace refund_relay
