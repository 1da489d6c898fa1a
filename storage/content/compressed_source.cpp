// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "storage/content/compress.h"

namespace knarr::storage {
namespace {

class CompressedSource {
 public:
  CompressedSource(ByteSource plain, Compression compression, std::optional<int> level)
      : plain_(std::move(plain)),
        input_(128u << 10, '\0'),
        compressor_(make_compressor(
            compression, [this](std::string_view bytes) { pending_ += bytes; }, level)) {}
  CompressedSource(const CompressedSource&) = delete;
  CompressedSource& operator=(const CompressedSource&) = delete;

  std::size_t read(char* buffer, std::size_t room) {
    while (taken_ == pending_.size() && !at_end_) refill();
    const std::size_t got = pending_.copy(buffer, room, taken_);
    taken_ += got;
    return got;
  }

 private:
  void refill() {
    pending_.clear();
    taken_ = 0;
    const std::size_t got = plain_(input_.data(), input_.size());
    at_end_ = got == 0;
    if (at_end_)
      compressor_->finish();
    else
      compressor_->write(std::string_view(input_).substr(0, got));
  }

  ByteSource plain_;
  std::string input_;
  std::string pending_;  // compressed; from taken_ on not yet given
  std::size_t taken_ = 0;
  bool at_end_ = false;
  std::unique_ptr<Compressor> compressor_;
};

}  // namespace

ByteSource compress_source(ByteSource plain, Compression compression, std::optional<int> level) {
  const auto source = std::make_shared<CompressedSource>(std::move(plain), compression, level);
  return [source](char* buffer, std::size_t room) { return source->read(buffer, room); };
}

}  // namespace knarr::storage
