// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/blob_source.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "storage/registry/documents_json.h"
#include "storage/registry/token.h"

namespace knarr::storage {
namespace {

constexpr std::size_t max_error_bytes = 64u << 10;
// A connection that brought this much has got somewhere: the next failure is a new one.
constexpr std::uint64_t progress = 64u << 10;

[[noreturn]] void throw_size(std::uint64_t found, std::uint64_t wanted) {
  throw InvalidArgument(concat("the server's blob has ", found, " bytes, not ", wanted));
}

[[noreturn]] void throw_status(HttpStream& stream) {
  const std::string body = stream.read_all(max_error_bytes);
  if (stream.status() == 404) throw NotFound("blob unknown to the registry");
  if (stream.status() == 401 || stream.status() == 403) {
    throw_refused(render_host(stream.url()), stream.status(), body);
  }
  throw Error(describe_status(stream.status(), body));
}

class BlobReader {
 public:
  BlobReader(OpenAt open, std::uint64_t offset, std::uint64_t size, const RetryPolicy& retry)
      : open_(std::move(open)), position_(offset), size_(size), retry_(retry), last_failure_(offset) {}

  std::size_t read(char* buffer, std::size_t room) {
    for (;;) {
      // Not in the try: who opens makes attempts of its own.
      const bool is_new = !stream_ && position_ < size_;
      if (is_new) stream_.emplace(open_(without_ranges_ ? 0 : position_));
      try {
        if (is_new) pass_to_position(buffer, room);
        return position_ == size_ ? finish(buffer, room) : read_some(buffer, room);
      } catch (const TransferError& error) {
        stream_.reset();
        if (position_ >= last_failure_ + progress) failures_ = 0;
        last_failure_ = position_;
        if (!error.is_transient() || ++failures_ > retry_.count) throw;
        wait_before_retry(retry_, failures_);
      }
    }
  }

 private:
  std::size_t read_some(char* buffer, std::size_t room) {
    const std::size_t got = stream_->read(buffer, std::min<std::uint64_t>(room, size_ - position_));
    if (got == 0) throw TransferError("the connection was closed in the middle of the blob", true);
    position_ += got;
    return got;
  }

  // What is sent beyond the size belongs to another blob than the one that was promised.
  std::size_t finish(char* buffer, std::size_t room) {
    if (stream_ && stream_->read(buffer, room) != 0) {
      throw InvalidArgument(concat("the server sends more than the ", size_, " bytes of the blob"));
    }
    stream_.reset();
    return 0;
  }

  void pass_to_position(char* buffer, std::size_t room) {
    auto skip = bytes_to_skip(stream_->status(), stream_->headers(), position_, size_);
    if (!skip) {
      const bool is_hopeless = std::exchange(without_ranges_, true);
      throw TransferError("the server does not give the range it was asked for", !is_hopeless);
    }
    if (stream_->status() != 200 && stream_->status() != 206) throw_status(*stream_);
    while (*skip > 0) {
      const std::size_t got = stream_->read(buffer, std::min<std::uint64_t>(room, *skip));
      if (got == 0) throw TransferError("the connection was closed in the middle of the blob", true);
      *skip -= got;
    }
  }

  OpenAt open_;
  std::uint64_t position_;
  std::uint64_t size_;
  RetryPolicy retry_;
  std::optional<HttpStream> stream_;
  std::uint64_t last_failure_;  // the position then
  int failures_ = 0;            // in a row, without progress
  bool without_ranges_ = false;
};

}  // namespace

void add_range(HttpRequest& request, std::uint64_t offset) {
  if (offset > 0) request.headers.add("Range", concat("bytes=", offset, '-'));
}

std::optional<std::uint64_t> bytes_to_skip(int status, const HttpHeaders& headers, std::uint64_t offset,
                                           std::uint64_t size) {
  if (status == 416 && offset > 0) return std::nullopt;
  if (status != 206) return offset;
  const auto range = parse_content_range(headers.get("Content-Range"));
  if (!range || range->first != offset) return std::nullopt;
  if (range->total && *range->total != size) throw_size(*range->total, size);
  return 0;
}

ByteSource read_blob_from(OpenAt open, std::uint64_t offset, std::uint64_t size, const RetryPolicy& retry) {
  const auto reader = std::make_shared<BlobReader>(std::move(open), offset, size, retry);
  return [reader](char* buffer, std::size_t room) { return reader->read(buffer, room); };
}

}  // namespace knarr::storage
