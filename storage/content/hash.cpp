// SPDX-License-Identifier: Apache-2.0
#include "storage/content/hash.h"

#include <openssl/evp.h>

#include "rootless/sys/error.h"

namespace knarr::storage {
namespace {

const EVP_MD* find_algorithm(const std::string& name) {
  if (name == "sha256") return EVP_sha256();
  if (name == "sha512") return EVP_sha512();
  throw Unsupported(concat("digest algorithm \"", name, "\" is not supported"));
}

std::string to_hex(const unsigned char* bytes, unsigned size) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * size);
  for (unsigned i = 0; i < size; ++i) {
    hex += digits[bytes[i] >> 4];
    hex += digits[bytes[i] & 15];
  }
  return hex;
}

}  // namespace

void Hasher::Free::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

Hasher::Hasher(const std::string& algorithm) : algorithm_(algorithm), context_(EVP_MD_CTX_new()) {
  if (!context_ || EVP_DigestInit_ex(context_.get(), find_algorithm(algorithm), nullptr) != 1) {
    throw Error(concat("cannot compute ", algorithm, " digests"));
  }
}

void Hasher::update(std::string_view bytes) {
  if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1)
    throw Error("cannot compute a digest");
}

Digest Hasher::finish() {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (EVP_DigestFinal_ex(context_.get(), bytes, &size) != 1) throw Error("cannot compute a digest");
  return {algorithm_, to_hex(bytes, size)};
}

Digest digest_of(std::string_view bytes, const std::string& algorithm) {
  Hasher hasher(algorithm);
  hasher.update(bytes);
  return hasher.finish();
}

void verify_digest(std::string_view bytes, const Digest& wanted, std::string_view what) {
  const Digest found = digest_of(bytes, wanted.algorithm);
  if (found != wanted)
    throw InvalidArgument(concat(what, " has digest ", render(found), ", not ", render(wanted)));
}

}  // namespace knarr::storage
