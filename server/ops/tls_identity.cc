// Reads and checks a certificate, its key and the authorities of client certificates, by OpenSSL.
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "server/ops/openssl_free.h"
#include "server/ops/tls_store.h"

namespace refund_relay {
namespace {

namespace ssl = boost::asio::ssl;

// TLS 1.2; the suites of TLS 1.3 are all of this kind.
constexpr char kCiphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

using Certificate = std::unique_ptr<X509, OpensslFree<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY_free>>;
using Memory = std::unique_ptr<BIO, OpensslFree<BIO_free_all>>;

Memory Reader(const std::string& text) { return Memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

// OpenSSL's word for its oldest error of this thread; it quotes nothing of the input. Leaves the thread without errors.
std::string Cause() {
  const char* const reason = ERR_reason_error_string(ERR_get_error());
  ERR_clear_error();
  return reason == nullptr ? "no reason given" : reason;
}

absl::Status Wrong(const std::string& what) { return absl::InvalidArgumentError(what); }

absl::StatusOr<std::vector<Certificate>> ReadCertificates(const std::string& pem, const std::string& name) {
  std::vector<Certificate> certificates;
  const Memory reader = Reader(pem);
  while (X509* const certificate = PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(certificate);
  }
  const auto end = ERR_peek_last_error();
  const bool at_end = ERR_GET_LIB(end) == ERR_LIB_PEM && ERR_GET_REASON(end) == PEM_R_NO_START_LINE;
  if (!at_end) return Wrong(absl::StrCat(name, " holds something that is no PEM certificate: ", Cause()));
  ERR_clear_error();
  if (certificates.empty()) return Wrong(absl::StrCat(name, " holds no PEM certificate"));
  return certificates;
}

absl::StatusOr<absl::Time> TimeOf(const ASN1_TIME* time, const std::string& name) {
  std::tm civil{};
  if (ASN1_TIME_to_tm(time, &civil) != 1)
    return Wrong(absl::StrCat(name, " holds a certificate with an unreadable date"));
  return absl::FromTM(civil, absl::UTCTimeZone());
}

// The time at which the first of them expires. INVALID_ARGUMENT if one is out of date already.
absl::StatusOr<absl::Time> CheckDates(const std::vector<Certificate>& certificates, const std::string& name,
                                      absl::Time now) {
  absl::Time first = absl::InfiniteFuture();
  for (const Certificate& certificate : certificates) {
    const auto begin = TimeOf(X509_get0_notBefore(certificate.get()), name);
    if (!begin.ok()) return begin.status();
    const auto end = TimeOf(X509_get0_notAfter(certificate.get()), name);
    if (!end.ok()) return end.status();
    if (now > *end) {
      return Wrong(absl::StrCat(name, " has expired at ", absl::FormatTime(*end, absl::UTCTimeZone())));
    }
    if (now < *begin) {
      return Wrong(absl::StrCat(name, " is not valid before ", absl::FormatTime(*begin, absl::UTCTimeZone())));
    }
    first = std::min(first, *end);
  }
  return first;
}

// Never asks anyone for a passphrase.
int NoPassphrase(char*, int, int, void*) { return -1; }

}  // namespace

absl::StatusOr<TlsIdentity> ParseTlsIdentity(const std::string& cert_pem, const std::string& key_pem,
                                             const std::string& client_ca_pem, absl::Time now) {
  ERR_clear_error();
  TlsIdentity identity;
  identity.cert_pem = cert_pem;
  identity.key_pem = SecretText(key_pem);
  identity.client_ca_pem = client_ca_pem;
  auto chain = ReadCertificates(cert_pem, "the certificate");
  if (!chain.ok()) return chain.status();
  const auto expiry = CheckDates(*chain, "the certificate", now);
  if (!expiry.ok()) return expiry.status();
  identity.cert_expiry = *expiry;

  const PrivateKey key(PEM_read_bio_PrivateKey(Reader(key_pem).get(), nullptr, NoPassphrase, nullptr));
  if (key == nullptr) return Wrong(absl::StrCat("the key is no PEM private key without a passphrase: ", Cause()));
  if (X509_check_private_key(chain->front().get(), key.get()) != 1) {
    ERR_clear_error();
    return Wrong("the key does not belong to the certificate");
  }

  if (!client_ca_pem.empty()) {
    const auto authorities = ReadCertificates(client_ca_pem, "the client CA file");
    if (!authorities.ok()) return authorities.status();
    const auto ca_expiry = CheckDates(*authorities, "the client CA file", now);
    if (!ca_expiry.ok()) return ca_expiry.status();
    identity.client_ca_expiry = *ca_expiry;
  }

  identity.context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX* const context = identity.context->native_handle();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  // Resumption by tickets only: a peer costs no memory once it is gone.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  bool taken = SSL_CTX_set_cipher_list(context, kCiphers) == 1 &&
               SSL_CTX_use_certificate(context, chain->front().get()) == 1 &&
               SSL_CTX_use_PrivateKey(context, key.get()) == 1;
  for (size_t i = 1; taken && i < chain->size(); ++i) {
    taken = SSL_CTX_add1_chain_cert(context, (*chain)[i].get()) == 1;  // NOLINT: a macro with a C cast
  }
  if (!taken) return Wrong(absl::StrCat("OpenSSL refuses certificate and key: ", Cause()));
  return identity;
}

absl::Time CertificateExpiry(const std::string& pem) {
  ERR_clear_error();
  const auto certificates = ReadCertificates(pem, "the certificate");
  if (!certificates.ok()) return absl::InfinitePast();
  return TimeOf(X509_get0_notAfter(certificates->front().get()), "the certificate").value_or(absl::InfinitePast());
}

}  // namespace refund_relay
