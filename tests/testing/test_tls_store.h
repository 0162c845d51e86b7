// A TlsStore over files of a test, for a server that it starts.
#ifndef REFUND_RELAY_TESTS_TESTING_TEST_TLS_STORE_H_
#define REFUND_RELAY_TESTS_TESTING_TEST_TLS_STORE_H_

#include <memory>
#include <stdexcept>
#include <string>

#include "server/ops/tls_store.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/test_authority.h"

namespace refund_relay {

// A loaded store with `own` as certificate and key; `clients` are authorities (PEM), empty for none. Fails the test
// when the store does not take them.
inline std::unique_ptr<TlsStore> LoadedTlsStore(const TempDir& folder, const TestCertificate& own,
                                                const std::string& clients) {
  auto store = std::make_unique<TlsStore>(
      "grpc",
      TlsFiles{.cert_file = folder.Write("server.crt", own.certificate),
               .key_file = folder.Write("server.key", own.key),
               .client_ca_file = clients.empty() ? "" : folder.Write("clients.crt", clients)},
      TlsStore::Report{[](const auto&, bool) {}, [](const auto&, absl::Time) {}});
  const absl::Status loaded = store->Load();
  if (!loaded.ok()) throw std::logic_error(std::string(loaded.message()));
  return store;
}

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_TESTING_TEST_TLS_STORE_H_
