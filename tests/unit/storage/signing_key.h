// SPDX-License-Identifier: Apache-2.0
// A key that signs as cosign does.
#pragma once

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <string>
#include <string_view>

#include "rootless/sys/error.h"

namespace knarr::storage {

class SigningKey {
 public:
  enum Kind { p256, p384, rsa, ed25519 };

  explicit SigningKey(Kind kind) : kind_(kind), key_(make(kind)) {
    if (key_ == nullptr) throw Error("making a key failed");
  }
  SigningKey(const SigningKey&) = delete;
  SigningKey& operator=(const SigningKey&) = delete;
  ~SigningKey() { ::EVP_PKEY_free(key_); }

  std::string public_pem() const {
    BIO* bio = ::BIO_new(::BIO_s_mem());
    ::PEM_write_bio_PUBKEY(bio, key_);
    char* bytes = nullptr;
    const long size = ::BIO_get_mem_data(bio, &bytes);
    std::string pem(bytes, static_cast<std::size_t>(size));
    ::BIO_free(bio);
    return pem;
  }

  std::string sign(std::string_view message) const {
    EVP_MD_CTX* context = ::EVP_MD_CTX_new();
    ::EVP_DigestSignInit(context, nullptr, kind_ == ed25519 ? nullptr : ::EVP_sha256(), nullptr, key_);
    const auto* bytes = reinterpret_cast<const unsigned char*>(message.data());
    std::size_t size = 0;
    ::EVP_DigestSign(context, nullptr, &size, bytes, message.size());
    std::string signature(size, '\0');
    ::EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size, bytes,
                     message.size());
    ::EVP_MD_CTX_free(context);
    signature.resize(size);
    return signature;
  }

 private:
  static EVP_PKEY* make(Kind kind) {
    switch (kind) {
      case p256:
        return ::EVP_EC_gen("P-256");
      case p384:
        return ::EVP_EC_gen("P-384");
      case rsa:
        return ::EVP_RSA_gen(2048u);
      case ed25519:
        return ::EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    }
    return nullptr;
  }

  Kind kind_;
  EVP_PKEY* key_;
};

}  // namespace knarr::storage
