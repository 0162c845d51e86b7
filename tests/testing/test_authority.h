// TestAuthority: certificates made on the fly, with the names that a test wants.
#ifndef REFUND_RELAY_TESTS_TESTING_TEST_AUTHORITY_H_
#define REFUND_RELAY_TESTS_TESTING_TEST_AUTHORITY_H_

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace refund_relay {

// Key and certificate in PEM.
struct TestCertificate {
  std::string certificate;
  std::string key;
};

// Signs with a key of its own, valid for an hour. Fails the test when OpenSSL does. Not thread-safe.
class TestAuthority {
 public:
  TestAuthority();

  const std::string& certificate() const { return own_.certificate; }

  // `alternative_names` as OpenSSL's configuration has them, such as `DNS:a.internal,URI:spiffe://org/a`; may be empty.
  TestCertificate Issue(const std::string& common_name, const std::string& alternative_names);

  // From now on, certificates are valid for so many seconds instead of an hour.
  void set_validity(long seconds) { validity_seconds_ = seconds; }

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(X509* certificate) const { X509_free(certificate); }
  };
  using Key = std::unique_ptr<EVP_PKEY, Free>;
  using Certificate = std::unique_ptr<X509, Free>;

  // Signed by this authority; by itself for its own certificate.
  Certificate Make(EVP_PKEY& key, const std::string& common_name, const std::string& alternative_names, bool of_ca);

  int serial_ = 0;
  long validity_seconds_ = 3600;
  Key key_;
  Certificate issuer_;
  TestCertificate own_;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_TESTS_TESTING_TEST_AUTHORITY_H_
