// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/blob_upload.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/archive_files.h"
#include "storage/content/hash.h"

namespace knarr::storage {
namespace {

class StreamUpload {
 public:
  StreamUpload(const Store& store, Registry& registry, const OpenBytes& open, const RetryPolicy& retry)
      : store_(store), registry_(registry), open_(open), retry_(retry) {}

  UploadedBlob run() {
    for (;;) {
      const bool goes_on = session_.has_value();
      // Not in the try: who begins makes attempts of its own.
      if (!goes_on) session_ = registry_.begin_upload();
      try {
        return send();
      } catch (const UploadRejected&) {
        const bool may_want_length = !goes_on && !sent_ && !spool_;
        if (!goes_on && !may_want_length) throw;
        session_.reset();
        if (may_want_length)
          spool();
        else if (++failures_ > retry_.count)
          throw;
      } catch (const TransferError& error) {
        // Perhaps only the last answer was lost.
        if (sent_ && registry_.has_blob(sent_->digest)) return *sent_;
        const std::uint64_t before = session_->size;
        if (error.is_transient()) session_ = registry_.find_upload(*session_);
        if (session_ && session_->size > before) failures_ = 0;
        if (!error.is_transient() || ++failures_ > retry_.count) throw;
        // Who hangs up twice before anything has come may have refused it so early that its answer was lost.
        if (failures_ == 2 && !spool_) spool();
        wait_before_retry(retry_, failures_, error.retry_after());
      }
    }
  }

 private:
  UploadedBlob send() {
    sent_.reset();
    std::optional<std::uint64_t> left;
    if (spool_) left = spooled_ - std::min(spooled_, session_->size);
    registry_.append_upload(
        *session_, [this] { return open_rest(); }, left);
    sent_ = {hasher_->finish(), total_};
    registry_.finish_upload(*session_, sent_->digest);
    return *sent_;
  }

  // What the registry has is made again for the digest's sake, but not sent.
  ByteSource open_rest() {
    hasher_.emplace();
    total_ = 0;
    return [this, all = spool_ ? open_spool() : open_(), there = session_->size](char* buffer,
                                                                                 std::size_t room) {
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

  void spool() {
    spool_ = make_spool(store_);
    const ByteSource source = open_();
    std::string buffer(256u << 10, '\0');
    while (const std::size_t got = source(buffer.data(), buffer.size())) {
      sys::write_all(spool_.get(), std::string_view(buffer).substr(0, got), "a blob into the store");
      spooled_ += got;
    }
  }

  ByteSource open_spool() const {
    constexpr const char* what = "a blob in the store";
    if (::lseek(spool_.get(), 0, SEEK_SET) < 0) throw_errno("reading ", what);
    return stream_of(spool_.get(), what);
  }

  const Store& store_;
  Registry& registry_;
  const OpenBytes& open_;
  const RetryPolicy& retry_;
  std::optional<Registry::UploadSession> session_;
  std::optional<Hasher> hasher_;
  std::uint64_t total_ = 0;
  std::optional<UploadedBlob> sent_;  // all of its bytes, by the last attempt
  sys::UniqueFd spool_;               // all of its bytes, for who wants to know their number
  std::uint64_t spooled_ = 0;
  int failures_ = 0;  // in a row, without progress
};

}  // namespace

UploadedBlob upload_stream(const Store& store, Registry& registry, const OpenBytes& open,
                           const RetryPolicy& retry) {
  return StreamUpload(store, registry, open, retry).run();
}

}  // namespace knarr::storage
