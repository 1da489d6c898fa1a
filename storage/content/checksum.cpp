// SPDX-License-Identifier: Apache-2.0
#include "storage/content/checksum.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace knarr::storage {
namespace {

constexpr std::uint64_t prime1 = 0x9E3779B185EBCA87, prime2 = 0xC2B2AE3D27D4EB4F, prime3 = 0x165667B19E3779F9,
                        prime4 = 0x85EBCA77C2B2AE63, prime5 = 0x27D4EB2F165667C5;

template <typename Word>
Word load(const char* bytes) {
  Word word;
  std::memcpy(&word, bytes, sizeof word);
  if constexpr (std::endian::native == std::endian::big) {
    char* const raw = reinterpret_cast<char*>(&word);
    std::reverse(raw, raw + sizeof word);
  }
  return word;
}

std::uint64_t round(std::uint64_t lane, std::uint64_t input) {
  return std::rotl(lane + input * prime2, 31) * prime1;
}

std::uint64_t merge(std::uint64_t hash, std::uint64_t lane) {
  return (hash ^ round(0, lane)) * prime1 + prime4;
}

std::uint64_t digest_rest(std::uint64_t hash, const char* bytes, std::size_t size) {
  for (; size >= 8; bytes += 8, size -= 8)
    hash = std::rotl(hash ^ round(0, load<std::uint64_t>(bytes)), 27) * prime1 + prime4;
  for (; size >= 4; bytes += 4, size -= 4)
    hash = std::rotl(hash ^ load<std::uint32_t>(bytes) * prime1, 23) * prime2 + prime3;
  for (; size > 0; ++bytes, --size)
    hash = std::rotl(hash ^ static_cast<unsigned char>(*bytes) * prime5, 11) * prime1;
  return hash;
}

}  // namespace

Checksum::Checksum() : lanes_{prime1 + prime2, prime2, 0, 0 - prime1} {}

void Checksum::mix(const char* stripe) {
  for (std::size_t i = 0; i < lanes_.size(); ++i)
    lanes_[i] = round(lanes_[i], load<std::uint64_t>(stripe + 8 * i));
}

void Checksum::update(std::string_view bytes) {
  total_ += bytes.size();
  if (rest_size_ > 0) {
    const std::size_t part = std::min(bytes.size(), rest_.size() - rest_size_);
    std::memcpy(rest_.data() + rest_size_, bytes.data(), part);
    rest_size_ += part;
    bytes.remove_prefix(part);
    if (rest_size_ < rest_.size()) return;
    mix(rest_.data());
    rest_size_ = 0;
  }
  for (; bytes.size() >= rest_.size(); bytes.remove_prefix(rest_.size())) mix(bytes.data());
  std::memcpy(rest_.data(), bytes.data(), bytes.size());
  rest_size_ = bytes.size();
}

std::uint64_t Checksum::value() const {
  std::uint64_t hash = prime5;
  if (total_ >= rest_.size()) {
    hash = std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) + std::rotl(lanes_[2], 12) +
           std::rotl(lanes_[3], 18);
    for (const std::uint64_t lane : lanes_) hash = merge(hash, lane);
  }
  hash = digest_rest(hash + total_, rest_.data(), rest_size_);
  hash = (hash ^ hash >> 33) * prime2;
  hash = (hash ^ hash >> 29) * prime3;
  return hash ^ hash >> 32;
}

}  // namespace knarr::storage
