#include "refund_relay/channel.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_credentials_options.h"
#include "grpcpp/support/channel_arguments.h"

namespace refund_relay {
namespace {

// A batch is at most 2 MiB, but one larger event goes alone, and the operator sets the limit of bodies.
constexpr int kMaxMessageBytes = 64 << 20;
// The server allows a ping every 10 s at most.
constexpr int kKeepaliveMillis = 30'000;
constexpr int kKeepaliveTimeoutMillis = 10'000;
// gRPC's own reconnect waits grow to two minutes by default, which would outlast every Backoff.
constexpr int kFirstReconnectMillis = 100;
constexpr int kLongestReconnectMillis = 1'000;
constexpr int kConnectTimeoutMillis = 5'000;
// How far gRPC reads ahead of the handler. Left to itself it probes the connection and buffers 10 MB and more, and asks
// for nothing while a slow handler eats that: the server would take a steady reader for one that stopped.
constexpr int kReadAheadBytes = 256 << 10;

// How often files are looked at.
constexpr unsigned kCertificateRefreshSeconds = 1;

absl::StatusOr<std::string> ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file.is_open() || !(text << file.rdbuf())) {
    return absl::NotFoundError(absl::StrCat("cannot read ", path, ", or it is empty"));
  }
  return text.str();
}

absl::Status CheckPem(const std::string& path, const std::string& marker, const std::string& what) {
  if (path.empty()) return absl::OkStatus();
  const auto text = ReadText(path);
  if (!text.ok()) return text.status();
  if (absl::StrContains(*text, marker)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(path, " holds no PEM ", what));
}

// RFC 6750 allows fewer characters still; these are what a header can carry as one word.
absl::StatusOr<std::string> ReadToken(const std::string& path) {
  auto text = ReadText(path);
  if (!text.ok()) return text.status();
  absl::StripAsciiWhitespace(&*text);
  if (text->empty() || !std::all_of(text->begin(), text->end(),
                                    [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); })) {
    return absl::InvalidArgumentError(absl::StrCat(path, " holds no token; write one, on one line"));
  }
  return text;
}

class TokenFile final : public grpc::MetadataCredentialsPlugin {
 public:
  explicit TokenFile(std::string path) : path_(std::move(path)) {}

  // It reads a file.
  bool IsBlocking() const override { return true; }
  const char* GetType() const override { return "token_file"; }
  std::string DebugString() override { return absl::StrCat("token of ", path_); }

  grpc::Status GetMetadata(grpc::string_ref /*service_url*/, grpc::string_ref /*method*/,
                           const grpc::AuthContext& /*context*/,
                           std::multimap<std::string, std::string>* metadata) override {
    const auto token = ReadToken(path_);
    if (!token.ok()) {
      const absl::string_view message = token.status().message();
      // gRPC makes UNAVAILABLE of any code.
      return {grpc::StatusCode::UNAVAILABLE, std::string(message.data(), message.size())};
    }
    metadata->emplace("authorization", absl::StrCat("Bearer ", *token));
    return grpc::Status::OK;
  }

 private:
  const std::string path_;
};

std::shared_ptr<grpc::ChannelCredentials> MakeCredentials(const ChannelOptions& options) {
  if (!options.secure()) return grpc::InsecureChannelCredentials();
  namespace tls = grpc::experimental;
  tls::TlsChannelCredentialsOptions tls_options;
  const bool mutual = !options.cert_file.empty();
  if (mutual || !options.ca_file.empty()) {
    tls_options.set_certificate_provider(std::make_shared<tls::FileWatcherCertificateProvider>(
        options.key_file, options.cert_file, options.ca_file, kCertificateRefreshSeconds));
  }
  if (!options.ca_file.empty()) tls_options.watch_root_certs();
  if (mutual) tls_options.watch_identity_key_cert_pairs();
  auto credentials = tls::TlsCredentials(tls_options);
  if (options.token_file.empty()) return credentials;
  return grpc::CompositeChannelCredentials(
      credentials, grpc::MetadataCredentialsFromPlugin(std::make_unique<TokenFile>(options.token_file)));
}

std::shared_ptr<grpc::Channel> Connect(const std::string& address, const ChannelOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMillis);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstReconnectMillis);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLongestReconnectMillis);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMillis);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kReadAheadBytes);
  // A connection of its own: a channel that replaces one whose connection is dead must not be handed that one.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // An http_proxy meant for a browser would otherwise take even loopback connections.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (!options.server_name.empty()) arguments.SetSslTargetNameOverride(options.server_name);
  return grpc::CreateCustomChannel(address, MakeCredentials(options), arguments);
}

}  // namespace

absl::Status CheckChannelOptions(const ChannelOptions& options) {
  if (options.cert_file.empty() != options.key_file.empty()) {
    return absl::InvalidArgumentError("cert_file and key_file belong together: give both, or neither");
  }
  if (!options.secure()) {
    for (const auto& [name, value] :
         {std::pair("cert_file", &options.cert_file), std::pair("server_name", &options.server_name),
          std::pair("token_file", &options.token_file)}) {
      if (value->empty()) continue;
      return absl::InvalidArgumentError(absl::StrCat(name, " is for TLS only; give ca_file too, or tls"));
    }
  }
  absl::Status status = CheckPem(options.ca_file, "-----BEGIN CERTIFICATE-----", "certificate");
  status.Update(CheckPem(options.cert_file, "-----BEGIN CERTIFICATE-----", "certificate"));
  status.Update(CheckPem(options.key_file, "PRIVATE KEY-----", "private key"));
  if (!options.token_file.empty()) status.Update(ReadToken(options.token_file).status());
  return status;
}

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) { return Connect(address, {}); }

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address, const ChannelOptions& options) {
  if (absl::Status status = CheckChannelOptions(options); !status.ok()) return status;
  return Connect(address, options);
}

}  // namespace refund_relay
