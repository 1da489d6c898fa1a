// SPDX-License-Identifier: Apache-2.0
// Content hashes while the bytes pass by (OpenSSL EVP).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "storage/digest.h"

struct evp_md_ctx_st;

namespace knarr::storage {

class Hasher {
 public:
  explicit Hasher(const std::string& algorithm = "sha256");  // or "sha512"; others throw Unsupported
  void update(std::string_view bytes);
  Digest finish();  // once

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::string algorithm_;
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

Digest digest_of(std::string_view bytes, const std::string& algorithm = "sha256");

// Throws InvalidArgument "WHAT has digest X, not Y" unless the bytes hash to `wanted`.
void verify_digest(std::string_view bytes, const Digest& wanted, std::string_view what);

}  // namespace knarr::storage
