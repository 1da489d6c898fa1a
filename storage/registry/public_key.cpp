// SPDX-License-Identifier: Apache-2.0
// Signatures by keys in PEM (OpenSSL).
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>

#include "storage/registry/policy.h"

namespace knarr::storage {
namespace {

template <auto Free>
struct Freer {
  template <typename Object>
  void operator()(Object* object) const {
    Free(object);
  }
};
using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Context = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;

Key read_key(const std::string& pem) {
  const Bio bio(::BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Key key(bio ? ::PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!key) throw InvalidArgument("a key of the policy is no public key in PEM");
  return key;
}

// Ed25519 hashes for itself.
const EVP_MD* hash_for(const EVP_PKEY* key) {
  switch (::EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_ED25519:
      return nullptr;
    case EVP_PKEY_EC:
    case EVP_PKEY_RSA:
      return ::EVP_sha256();
    default:
      throw InvalidArgument("a key of the policy is of a kind that signs nothing here");
  }
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

bool verify_signature(const std::string& pem_key, std::string_view message, std::string_view signature) {
  const Key key = read_key(pem_key);
  const Context context(::EVP_MD_CTX_new());
  if (!context ||
      ::EVP_DigestVerifyInit(context.get(), nullptr, hash_for(key.get()), nullptr, key.get()) != 1) {
    throw Error("starting to verify a signature failed");
  }
  return ::EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(message),
                            message.size()) == 1;
}

}  // namespace knarr::storage
