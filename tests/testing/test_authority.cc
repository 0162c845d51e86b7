#include "tests/testing/test_authority.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstring>

#include "gtest/gtest.h"

namespace refund_relay {
namespace {

template <typename Write>
std::string Pem(Write write) {
  BIO* const bio = BIO_new(BIO_s_mem());
  EXPECT_EQ(write(bio), 1);
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio, &data);
  std::string pem(data, static_cast<size_t>(size));
  BIO_free(bio);
  return pem;
}

std::string PemOf(X509& certificate) {
  return Pem([&](BIO* bio) { return PEM_write_bio_X509(bio, &certificate); });
}

std::string PemOf(EVP_PKEY& key) {
  return Pem([&](BIO* bio) { return PEM_write_bio_PrivateKey(bio, &key, nullptr, nullptr, 0, nullptr, nullptr); });
}

void AddExtension(X509& certificate, X509& issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  ASSERT_NE(extension, nullptr) << value;
  EXPECT_EQ(X509_add_ext(&certificate, extension, -1), 1);
  X509_EXTENSION_free(extension);
}

}  // namespace

TestAuthority::TestAuthority() : key_(EVP_EC_gen("P-256")), issuer_(Make(*key_, "test authority", "", true)) {
  own_ = {PemOf(*issuer_), PemOf(*key_)};
}

TestCertificate TestAuthority::Issue(const std::string& common_name, const std::string& alternative_names) {
  const Key key(EVP_EC_gen("P-256"));
  return {PemOf(*Make(*key, common_name, alternative_names, false)), PemOf(*key)};
}

TestAuthority::Certificate TestAuthority::Make(EVP_PKEY& key, const std::string& common_name,
                                               const std::string& alternative_names, bool of_ca) {
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial_);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), validity_seconds_);
  X509_set_pubkey(certificate.get(), &key);
  X509_NAME* const subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common_name.c_str()),
                             -1, -1, 0);
  X509& issuer = of_ca ? *certificate : *issuer_;
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(&issuer));
  AddExtension(*certificate, issuer, NID_basic_constraints, of_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (!alternative_names.empty()) AddExtension(*certificate, issuer, NID_subject_alt_name, alternative_names);
  EXPECT_GT(X509_sign(certificate.get(), key_.get(), EVP_sha256()), 0);
  return certificate;
}

}  // namespace refund_relay
