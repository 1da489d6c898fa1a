// SPDX-License-Identifier: Apache-2.0
#include "storage/content/base64.h"

#include <openssl/evp.h>

#include <algorithm>

namespace knarr::storage {

std::string encode_base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // and the NUL that OpenSSL writes
  const int length =
      ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                        reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

std::optional<std::string> decode_base64(std::string_view text) {
  std::string compact;
  std::copy_if(text.begin(), text.end(), std::back_inserter(compact),
               [](char c) { return c != '\n' && c != '\r'; });
  // OpenSSL forgives spaces around the text and '=' within it.
  const std::size_t end = compact.find_last_not_of('=') + 1;
  const std::size_t padding = compact.size() - end;
  constexpr const char* alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (compact.size() % 4 != 0 || padding > 2 || compact.find_first_not_of(alphabet) < end) {
    return std::nullopt;
  }
  std::string bytes(compact.size() / 4 * 3, '\0');
  const int length = ::EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                       reinterpret_cast<const unsigned char*>(compact.data()),
                                       static_cast<int>(compact.size()));
  if (length < 0) return std::nullopt;
  bytes.resize(bytes.size() - padding);
  return bytes;
}

}  // namespace knarr::storage
