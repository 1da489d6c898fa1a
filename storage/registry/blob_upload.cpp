// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/blob_upload.h"

#include <cstring>
#include <optional>

#include "storage/content/hash.h"

namespace knarr::storage {
namespace {

class StreamUpload {
 public:
  StreamUpload(Registry& registry, const OpenBytes& open, const RetryPolicy& retry)
      : registry_(registry), open_(open), retry_(retry) {}

  UploadedBlob run() {
    for (;;) {
      const bool goes_on = session_.has_value();
      // Not in the try: who begins makes attempts of its own.
      if (!goes_on) session_ = registry_.begin_upload();
      try {
        return send();
      } catch (const UploadRejected&) {
        if (!goes_on) throw;
        session_.reset();
        if (++failures_ > retry_.count) throw;
      } catch (const TransferError& error) {
        // Perhaps only the last answer was lost.
        if (sent_ && registry_.has_blob(sent_->digest)) return *sent_;
        const std::uint64_t before = session_->size;
        if (error.is_transient()) session_ = registry_.find_upload(*session_);
        if (session_ && session_->size > before) failures_ = 0;
        if (!error.is_transient() || ++failures_ > retry_.count) throw;
        wait_before_retry(retry_, failures_, error.retry_after());
      }
    }
  }

 private:
  UploadedBlob send() {
    sent_.reset();
    registry_.append_upload(*session_, [this] { return open_rest(); });
    sent_ = {hasher_->finish(), total_};
    registry_.finish_upload(*session_, sent_->digest);
    return *sent_;
  }

  // What the registry has is made again for the digest's sake, but not sent.
  ByteSource open_rest() {
    hasher_.emplace();
    total_ = 0;
    return [this, all = open_(), there = session_->size](char* buffer, std::size_t room) {
      for (;;) {
        const std::size_t got = all(buffer, room);
        hasher_->update({buffer, got});
        total_ += got;
        if (got == 0 || total_ > there) return without_beginning(buffer, got, there);
      }
    };
  }

  std::size_t without_beginning(char* buffer, std::size_t got, std::uint64_t there) const {
    const std::uint64_t before = total_ - got;
    if (before >= there) return got;
    const auto known = static_cast<std::size_t>(there - before);
    std::memmove(buffer, buffer + known, got - known);
    return got - known;
  }

  Registry& registry_;
  const OpenBytes& open_;
  const RetryPolicy& retry_;
  std::optional<Registry::UploadSession> session_;
  std::optional<Hasher> hasher_;
  std::uint64_t total_ = 0;
  std::optional<UploadedBlob> sent_;  // all of its bytes, by the last attempt
  int failures_ = 0;                  // in a row, without progress
};

}  // namespace

UploadedBlob upload_stream(Registry& registry, const OpenBytes& open, const RetryPolicy& retry) {
  return StreamUpload(registry, open, retry).run();
}

}  // namespace knarr::storage
