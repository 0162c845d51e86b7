// OpensslFree: frees OpenSSL's objects, for std::unique_ptr.
#ifndef REFUND_RELAY_SERVER_OPS_OPENSSL_FREE_H_
#define REFUND_RELAY_SERVER_OPS_OPENSSL_FREE_H_

namespace refund_relay {

// `std::unique_ptr<X509, OpensslFree<X509_free>>`.
template <auto kFree>
struct OpensslFree {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_OPS_OPENSSL_FREE_H_
