#include "server/rpc/tls_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/ops/logging.h"

namespace refund_relay {
namespace {

// gRPC's C++ layer has no credentials that ask for their certificate at each handshake; its C layer does.
class StoreCredentials final : public grpc::ServerCredentials {
 public:
  StoreCredentials(const TlsStore& store, grpc_ssl_client_certificate_request_type request) : store_(store) {
    // Takes over the options.
    credentials_ =
        grpc_ssl_server_credentials_create_with_options(grpc_ssl_server_credentials_create_options_using_config_fetcher(
            request,
            [](void* self, grpc_ssl_server_certificate_config** config) {
              return static_cast<StoreCredentials*>(self)->Fetch(config);
            },
            this));
  }
  ~StoreCredentials() override { grpc_server_credentials_release(credentials_); }
  StoreCredentials(const StoreCredentials&) = delete;
  StoreCredentials& operator=(const StoreCredentials&) = delete;

  // Who calls is decided from the certificates and metadata of a call, not here.
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/) override {
    Log(LogLevel::kError, "these credentials take no AuthMetadataProcessor");
  }

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  // Called at each handshake, by any thread of gRPC.
  grpc_ssl_certificate_config_reload_status Fetch(grpc_ssl_server_certificate_config** config)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    const std::shared_ptr<const TlsIdentity> identity = store_.Snapshot();
    absl::MutexLock lock(&mutex_);
    if (identity == nullptr || identity->version == version_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const grpc_ssl_pem_key_cert_pair pair{identity->key_pem.c_str(), identity->cert_pem.c_str()};
    // gRPC aborts without authorities, even where it asks no client for a certificate: any will do there.
    const std::string& authorities = identity->client_ca_pem.empty() ? identity->cert_pem : identity->client_ca_pem;
    *config = grpc_ssl_server_certificate_config_create(authorities.c_str(), &pair, 1);
    version_ = identity->version;
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  const TlsStore& store_;
  grpc_server_credentials* credentials_ = nullptr;
  absl::Mutex mutex_;
  uint64_t version_ ABSL_GUARDED_BY(mutex_) = 0;  // what gRPC has
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> MakeTlsCredentials(const TlsStore& store, bool require_client_certificate) {
  grpc_ssl_client_certificate_request_type request = GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
  if (!store.files().client_ca_file.empty()) {
    request = require_client_certificate ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                         : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
  }
  return std::make_shared<StoreCredentials>(store, request);
}

}  // namespace refund_relay
