// ParseTlsIdentity: what is taken, what is refused, and that no word of a refusal comes from the files.
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/ops/tls_store.h"
#include "tests/testing/test_authority.h"

namespace refund_relay {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class TlsIdentityTest : public ::testing::Test {
 protected:
  // The message of the refusal, which quotes none of `secrets`' lines.
  static std::string Refusal(const std::string& cert, const std::string& key, const std::string& ca = "",
                             absl::Time now = absl::Now()) {
    const auto identity = ParseTlsIdentity(cert, key, ca, now);
    EXPECT_EQ(identity.status().code(), absl::StatusCode::kInvalidArgument) << identity.status();
    const std::string message(identity.status().message());
    for (const std::string* text : {&cert, &key, &ca}) {
      for (const absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipWhitespace())) {
        EXPECT_THAT(message, Not(HasSubstr(std::string(line))));
      }
    }
    return message;
  }

  // The key, encrypted by a passphrase.
  static std::string Encrypted(const std::string& key_pem) {
    BIO* const in = BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size()));
    EVP_PKEY* const key = PEM_read_bio_PrivateKey(in, nullptr, nullptr, nullptr);
    BIO_free(in);
    BIO* const out = BIO_new(BIO_s_mem());
    std::string passphrase = "horse battery";
    EXPECT_EQ(PEM_write_bio_PKCS8PrivateKey(out, key, EVP_aes_128_cbc(), passphrase.data(),
                                            static_cast<int>(passphrase.size()), nullptr, nullptr),
              1);
    EVP_PKEY_free(key);
    char* data = nullptr;
    const auto size = BIO_get_mem_data(out, &data);
    std::string pem(data, static_cast<size_t>(size));
    BIO_free(out);
    return pem;
  }

  TestAuthority authority_;
  const TestCertificate pair_ = authority_.Issue("server", "DNS:localhost");
};

TEST_F(TlsIdentityTest, APairIsTakenWithItsTextsAndDates) {
  const absl::Time now = absl::Now();
  const auto identity = ParseTlsIdentity(pair_.certificate, pair_.key, authority_.certificate(), now);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->cert_pem, pair_.certificate);
  EXPECT_EQ(identity->key_pem.view(), pair_.key);
  EXPECT_EQ(identity->client_ca_pem, authority_.certificate());
  for (const absl::Time expiry : {identity->cert_expiry, identity->client_ca_expiry}) {
    EXPECT_GT(expiry, now + absl::Minutes(59));
    EXPECT_LT(expiry, now + absl::Minutes(61));
  }
}

TEST_F(TlsIdentityTest, WithoutClientAuthoritiesTheirDateIsNever) {
  const auto identity = ParseTlsIdentity(pair_.certificate, pair_.key, "", absl::Now());
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->client_ca_expiry, absl::InfiniteFuture());
}

TEST_F(TlsIdentityTest, WhatIsNoCertificateIsRefused) {
  EXPECT_EQ(Refusal("", pair_.key), "the certificate holds no PEM certificate");
  EXPECT_EQ(Refusal("a text that someone wrote", pair_.key), "the certificate holds no PEM certificate");
  EXPECT_EQ(Refusal(pair_.key, pair_.key), "the certificate holds no PEM certificate");
}

TEST_F(TlsIdentityTest, ABrokenCertificateIsRefusedWhereverItStands) {
  std::string broken = pair_.certificate;
  broken[broken.size() / 2] = '*';
  EXPECT_THAT(Refusal(broken, pair_.key), HasSubstr("the certificate holds something that is no PEM certificate: "));
  EXPECT_THAT(Refusal(pair_.certificate + broken, pair_.key), HasSubstr("something that is no PEM certificate"));
  const std::string cut = pair_.certificate.substr(0, pair_.certificate.size() - 40);
  EXPECT_THAT(Refusal(pair_.certificate + cut, pair_.key), HasSubstr("something that is no PEM certificate"));
}

TEST_F(TlsIdentityTest, WhatIsNoKeyIsRefused) {
  for (const std::string& key : {std::string(), std::string("a text that someone wrote"), pair_.certificate}) {
    EXPECT_THAT(Refusal(pair_.certificate, key), HasSubstr("the key is no PEM private key without a passphrase: "));
  }
}

TEST_F(TlsIdentityTest, AKeyWithAPassphraseIsRefusedAndNobodyIsAskedForIt) {
  EXPECT_THAT(Refusal(pair_.certificate, Encrypted(pair_.key)), HasSubstr("without a passphrase"));
}

TEST_F(TlsIdentityTest, AKeyOfAnotherCertificateIsRefused) {
  const TestCertificate other = authority_.Issue("server", "DNS:localhost");
  EXPECT_EQ(Refusal(pair_.certificate, other.key), "the key does not belong to the certificate");
  // Also when the certificate that it belongs to stands further down the chain.
  EXPECT_EQ(Refusal(pair_.certificate + other.certificate, other.key), "the key does not belong to the certificate");
}

TEST_F(TlsIdentityTest, OutOfDateIsRefusedWithTheDate) {
  const absl::Time now = absl::Now();
  EXPECT_THAT(Refusal(pair_.certificate, pair_.key, "", now + absl::Hours(2)),
              HasSubstr("the certificate has expired at "));
  EXPECT_THAT(Refusal(pair_.certificate, pair_.key, "", now - absl::Hours(2)),
              HasSubstr("the certificate is not valid before "));
}

TEST_F(TlsIdentityTest, OneCertificateOfTheChainThatHasExpiredIsEnough) {
  TestAuthority long_lived;
  long_lived.set_validity(36'000);
  const TestCertificate pair = long_lived.Issue("server", "DNS:localhost");
  const absl::Time later = absl::Now() + absl::Hours(2);
  EXPECT_TRUE(ParseTlsIdentity(pair.certificate, pair.key, "", later).ok());
  EXPECT_THAT(Refusal(pair.certificate + authority_.certificate(), pair.key, "", later), HasSubstr("has expired"));
  const auto chain = ParseTlsIdentity(pair.certificate + authority_.certificate(), pair.key, "", absl::Now());
  ASSERT_TRUE(chain.ok()) << chain.status();
  EXPECT_LT(chain->cert_expiry, absl::Now() + absl::Hours(2)) << "the first of the chain that expires counts";
  const auto reversed = ParseTlsIdentity(pair_.certificate + pair.certificate, pair_.key, "", absl::Now());
  ASSERT_TRUE(reversed.ok()) << reversed.status();
  EXPECT_LT(reversed->cert_expiry, absl::Now() + absl::Hours(2)) << "wherever it stands";
}

TEST_F(TlsIdentityTest, ClientAuthoritiesAreCheckedAsWell) {
  TestAuthority long_lived;
  long_lived.set_validity(36'000);
  const TestCertificate pair = long_lived.Issue("server", "DNS:localhost");
  EXPECT_EQ(Refusal(pair.certificate, pair.key, "nothing of the kind"), "the client CA file holds no PEM certificate");
  EXPECT_THAT(Refusal(pair.certificate, pair.key, authority_.certificate(), absl::Now() + absl::Hours(2)),
              HasSubstr("the client CA file has expired at "));
}

TEST_F(TlsIdentityTest, TheChainIsSentInTheOrderOfTheFile) {
  TestAuthority root;
  const auto identity =
      ParseTlsIdentity(pair_.certificate + authority_.certificate() + root.certificate(), pair_.key, "", absl::Now());
  ASSERT_TRUE(identity.ok()) << identity.status();
  SSL_CTX* const context = identity->context->native_handle();
  STACK_OF(X509)* chain = nullptr;
  ASSERT_EQ(SSL_CTX_get0_chain_certs(context, static_cast<void*>(&chain)), 1);
  ASSERT_EQ(sk_X509_num(chain), 2);
  const auto pem_of = [](X509* certificate) {
    BIO* const out = BIO_new(BIO_s_mem());
    EXPECT_EQ(PEM_write_bio_X509(out, certificate), 1);
    char* data = nullptr;
    const auto size = BIO_get_mem_data(out, &data);
    std::string pem(data, static_cast<size_t>(size));
    BIO_free(out);
    return pem;
  };
  EXPECT_EQ(pem_of(SSL_CTX_get0_certificate(context)), pair_.certificate);
  EXPECT_EQ(pem_of(sk_X509_value(chain, 0)), authority_.certificate());
  EXPECT_EQ(pem_of(sk_X509_value(chain, 1)), root.certificate());
}

TEST_F(TlsIdentityTest, TheContextIsStrict) {
  const auto identity = ParseTlsIdentity(pair_.certificate, pair_.key, "", absl::Now());
  ASSERT_TRUE(identity.ok()) << identity.status();
  SSL_CTX* const context = identity->context->native_handle();
  EXPECT_EQ(SSL_CTX_get_min_proto_version(context), TLS1_2_VERSION);
  const auto options = SSL_CTX_get_options(context);
  EXPECT_TRUE(options & SSL_OP_NO_RENEGOTIATION);
  EXPECT_TRUE(options & SSL_OP_NO_COMPRESSION);
  EXPECT_TRUE(options & SSL_OP_CIPHER_SERVER_PREFERENCE);
  EXPECT_EQ(SSL_CTX_get_session_cache_mode(context), SSL_SESS_CACHE_OFF);
  STACK_OF(SSL_CIPHER)* const ciphers = SSL_CTX_get_ciphers(context);
  for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i) {
    const SSL_CIPHER* const cipher = sk_SSL_CIPHER_value(ciphers, i);
    EXPECT_TRUE(SSL_CIPHER_is_aead(cipher)) << SSL_CIPHER_get_name(cipher);
    const int exchange = SSL_CIPHER_get_kx_nid(cipher);
    EXPECT_TRUE(exchange == NID_kx_ecdhe || exchange == NID_kx_any) << SSL_CIPHER_get_name(cipher);
  }
}

}  // namespace
}  // namespace refund_relay
