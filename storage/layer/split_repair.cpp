// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/split_repair.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/archive_files.h"
#include "storage/content/checksum.h"
#include "storage/layer/tar_split.h"
#include "storage/layer/tree_files.h"

namespace knarr::storage {
namespace {

// A tar that writes the same names over and over could keep us looking for a very long time.
constexpr std::size_t max_looks = 1u << 19;

class DisplacedContent {
 public:
  DisplacedContent(int tree_fd, const DisplacedFiles& displaced) : files_(tree_fd), displaced_(displaced) {}

  // The displaced file that has this content; empty: the tree has it still.
  sys::UniqueFd find(const SplitContent& content) {
    std::string_view prefix = content.path;
    for (;;) {
      if (const auto found = displaced_.numbers.find(prefix); found != displaced_.numbers.end()) {
        sys::UniqueFd file = find_among(found->second, first_[found->first], content, prefix.size());
        if (file) return file;
      }
      if (prefix.find('/') == std::string_view::npos) return {};
      prefix = prefix.substr(0, prefix.rfind('/'));
    }
  }
  bool is_exhausted() const { return looks_ >= max_looks; }

  // Gives all bytes of the content to `pass`. False when there are fewer.
  template <typename Pass>
  bool read(int fd, const SplitContent& content, Pass&& pass) {
    for (TarExtent extent : content.extents) {
      while (extent.size > 0) {
        const std::size_t wanted = std::min<std::uint64_t>(buffer_.size(), extent.size);
        const ssize_t got = ::pread(fd, buffer_.data(), wanted, static_cast<off_t>(extent.offset));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw_errno("reading a displaced file");
        if (got == 0) return false;
        pass(std::string_view(buffer_).substr(0, static_cast<std::size_t>(got)));
        extent.offset += static_cast<std::uint64_t>(got);
        extent.size -= static_cast<std::uint64_t>(got);
      }
    }
    return true;
  }

 private:
  // Names are lost in the order of the tar, and so they are asked for: what lies before a match is never
  // wanted again.
  sys::UniqueFd find_among(const std::vector<std::uint32_t>& numbers, std::size_t& first,
                           const SplitContent& content, std::size_t prefix_size) {
    for (std::size_t i = first; i < numbers.size() && !is_exhausted(); ++i) {
      ++looks_;
      sys::UniqueFd file =
          files_.open_file(concat(displaced_.directory, '/', numbers[i], content.path.substr(prefix_size)));
      if (!file || !has_content(file.get(), content)) continue;
      first = i;
      return file;
    }
    return {};
  }

  bool has_content(int fd, const SplitContent& content) {
    const TarExtent& last = content.extents.back();
    struct stat info;
    if (::fstat(fd, &info) < 0 || static_cast<std::uint64_t>(info.st_size) < last.offset + last.size)
      return false;
    Checksum checksum;
    const bool is_whole = read(fd, content, [&](std::string_view bytes) { checksum.update(bytes); });
    return is_whole && checksum.value() == content.checksum;
  }

  TreeFiles files_;
  const DisplacedFiles& displaced_;
  std::map<std::string_view, std::size_t> first_;  // that may still be wanted, by path
  std::size_t looks_ = 0;
  std::string buffer_ = std::string(256u << 10, '\0');
};

void rewrite(SplitReader& reader, SplitWriter& writer, DisplacedContent& displaced) {
  while (!displaced.is_exhausted()) {
    switch (reader.next()) {
      case SplitReader::Kind::end:
        return writer.finish();
      case SplitReader::Kind::raw:
        for (std::string_view piece; !(piece = reader.read_raw()).empty();) writer.pass(piece);
        break;
      case SplitReader::Kind::place:
        writer.add_place(reader.place().path, reader.place().link_target);
        break;
      case SplitReader::Kind::content:
        const SplitContent& content = reader.content();
        const sys::UniqueFd file = displaced.find(content);
        if (!file) {
          writer.add(content);
        } else {
          displaced.read(file.get(), content, [&](std::string_view bytes) { writer.pass(bytes); });
        }
        break;
    }
  }
}

}  // namespace

bool store_displaced_content(int layer_fd, const DisplacedFiles& displaced) {
  const sys::UniqueFd tree = sys::open_directory(layer_fd, "diff");
  const sys::UniqueFd old = sys::open_at(layer_fd, "tar.zst", O_RDONLY);
  const sys::UniqueFd anew = sys::open_at(layer_fd, "tar.zst.new", O_WRONLY | O_CREAT | O_EXCL, 0600);
  SplitReader reader(stream_of(old.get(), "tar.zst"));
  SplitWriter writer(anew.get());
  DisplacedContent content(tree.get(), displaced);
  rewrite(reader, writer, content);
  if (content.is_exhausted()) {
    sys::unlink_if_exists(layer_fd, "tar.zst.new");
    return false;
  }
  if (::renameat(layer_fd, "tar.zst.new", layer_fd, "tar.zst") < 0) throw_errno("renaming tar.zst");
  return true;
}

}  // namespace knarr::storage
