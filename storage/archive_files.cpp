// SPDX-License-Identifier: Apache-2.0
#include "storage/archive_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/content/decompress.h"
#include "storage/layer/entry_path.h"
#include "storage/layer/tar_reader.h"

namespace knarr::storage {
namespace {

[[noreturn]] void fail_missing(const std::string& name) {
  throw NotFound(concat("the archive has no file ", quote_name(name)));
}

std::size_t read_at(int fd, char* buffer, std::size_t size, std::uint64_t offset) {
  for (;;) {
    const ssize_t got = ::pread(fd, buffer, size, static_cast<off_t>(offset));
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) throw_errno("reading the archive");
  }
}

// `size` bytes from `offset` on, as they are asked for.
ByteSource stream_range(int fd, std::uint64_t offset, std::uint64_t size) {
  return [fd, offset, left = size](char* buffer, std::size_t room) mutable {
    const std::size_t got = read_at(fd, buffer, std::min<std::uint64_t>(room, left), offset);
    if (got == 0 && left > 0 && room > 0) throw InvalidArgument("the archive has become shorter");
    offset += got;
    left -= got;
    return got;
  };
}

// ---- a tar ----

// Reads the headers and passes over what lies between them.
class FileSource : public ChunkSource {
 public:
  FileSource(int fd, std::uint64_t size) : fd_(fd), size_(size), buffer_(16u << 10, '\0') {}
  std::string_view next_chunk() override {
    const std::size_t got = read_at(fd_, buffer_.data(), buffer_.size(), position_);
    position_ += got;
    return std::string_view(buffer_).substr(0, got);
  }
  std::uint64_t skip(std::uint64_t size) override {
    const std::uint64_t skipped = std::min(size, size_ - std::min(size_, position_));
    position_ += skipped;
    return skipped;
  }

 private:
  int fd_;
  std::uint64_t size_;
  std::uint64_t position_ = 0;
  std::string buffer_;
};

class TarFiles : public ArchiveFiles {
 public:
  explicit TarFiles(sys::UniqueFd fd) : fd_(std::move(fd)) { scan(); }

  bool is_directory() const override { return false; }
  bool has(const std::string& name) const override { return find(name) != nullptr; }
  std::uint64_t size(const std::string& name) const override { return get(name).size; }
  ByteSource stream(const std::string& name) const override {
    const Member& member = get(name);
    return stream_range(fd_.get(), member.offset, member.size);
  }

 private:
  struct Member {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::string link;  // the name it stands for; empty: a file
  };
  static constexpr std::size_t max_members = 1u << 16;
  static constexpr int max_links = 8;

  void scan() {
    struct stat info;
    if (::fstat(fd_.get(), &info) < 0) throw_errno("looking at the archive");
    FileSource source(fd_.get(), static_cast<std::uint64_t>(info.st_size));
    TarReader reader(source);
    for (TarEntry entry; reader.next(entry);) {
      if (members_.size() >= max_members) throw InvalidArgument("the archive has too many files");
      note(entry);
    }
  }

  // As when a tar is unpacked, of two files with one name the last counts.
  void note(const TarEntry& entry) {
    const std::string name = clean_entry_path(entry.path);
    if (entry.type == TarType::file && !entry.is_sparse)
      members_[name] = {entry.content_offset, entry.size, {}};
    if (entry.type == TarType::hard_link) note_link(name, entry.link);
    // Archives of old point from "<id>/layer.tar" to "../<other id>/layer.tar".
    if (entry.type == TarType::symlink) note_link(name, concat(parent_of(name), '/', entry.link));
  }

  void note_link(const std::string& name, const std::string& target) {
    try {
      members_[name] = {0, 0, clean_entry_path(target)};
    } catch (const InvalidArgument&) {
      members_.erase(name);  // it leads out of the archive, where nothing is
    }
  }

  const Member* find(const std::string& name) const {
    std::string wanted = clean_entry_path(name);
    for (int i = 0; i <= max_links; ++i) {
      const auto found = members_.find(wanted);
      if (found == members_.end()) return nullptr;
      if (found->second.link.empty()) return &found->second;
      wanted = found->second.link;
    }
    return nullptr;
  }

  const Member& get(const std::string& name) const {
    const Member* const member = find(name);
    if (member == nullptr) fail_missing(name);
    return *member;
  }

  sys::UniqueFd fd_;
  std::map<std::string, Member> members_;
};

// ---- a directory ----

// Whoever loads it may not be whoever made it, so links in it lead nowhere: every component is opened alone.
class DirectoryFiles : public ArchiveFiles {
 public:
  explicit DirectoryFiles(sys::UniqueFd fd) : fd_(std::move(fd)) {}

  bool is_directory() const override { return true; }
  bool has(const std::string& name) const override { return static_cast<bool>(open(name)); }
  std::uint64_t size(const std::string& name) const override {
    struct stat info;
    if (::fstat(get(name).get(), &info) < 0) throw_errno("looking at ", name);
    return static_cast<std::uint64_t>(info.st_size);
  }
  ByteSource stream(const std::string& name) const override {
    const auto file = std::make_shared<sys::UniqueFd>(get(name));
    return
        [file, name](char* buffer, std::size_t room) { return stream_of(file->get(), name)(buffer, room); };
  }

 private:
  sys::UniqueFd open(const std::string& name) const {
    const std::string path = clean_entry_path(name);
    sys::UniqueFd directory(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
    if (!directory) throw_errno("opening the archive");
    std::string_view rest = path;
    while (rest.find('/') != std::string_view::npos) {
      const std::string component(rest.substr(0, rest.find('/')));
      rest.remove_prefix(component.size() + 1);
      constexpr int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
      directory.reset(::openat(directory.get(), component.c_str(), flags));
      if (!directory) return {};
    }
    sys::UniqueFd file(::openat(directory.get(), std::string(rest).c_str(),
                                O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file && errno != ENOENT && errno != ENOTDIR && errno != ELOOP) throw_errno("opening ", name);
    struct stat info;
    if (!file || ::fstat(file.get(), &info) < 0 || !S_ISREG(info.st_mode)) return {};
    return file;
  }

  sys::UniqueFd get(const std::string& name) const {
    sys::UniqueFd file = open(name);
    if (!file) fail_missing(name);
    return file;
  }

  sys::UniqueFd fd_;
};

// ---- opening ----

sys::UniqueFd spool(const Store& store, int fd, const std::string& what) {
  sys::UniqueFd copy = make_spool(store);
  Decompressor decompressor(stream_of(fd, what));
  std::string buffer(256u << 10, '\0');
  while (const std::size_t got = decompressor.read(buffer.data(), buffer.size())) {
    sys::write_all(copy.get(), std::string_view(buffer).substr(0, got), "a copy of the archive");
  }
  return copy;
}

bool is_plain_file(int fd) {
  struct stat info;
  if (::fstat(fd, &info) < 0) throw_errno("looking at the archive");
  // Standard input may be a file somebody else has read the beginning of.
  if (!S_ISREG(info.st_mode) || ::lseek(fd, 0, SEEK_CUR) != 0) return false;
  char magic[6];
  const std::size_t got = read_at(fd, magic, sizeof magic, 0);
  return detect_compression({magic, got}) == Compression::none;
}

}  // namespace

std::string ArchiveFiles::read(const std::string& name, std::size_t max_bytes) const {
  const std::uint64_t bytes = size(name);
  if (bytes > max_bytes) {
    throw InvalidArgument(
        concat(quote_name(name), " has ", bytes, " bytes, more than the ", max_bytes, " allowed"));
  }
  std::string content(bytes, '\0');
  const ByteSource source = stream(name);
  std::size_t filled = 0;
  while (filled < content.size()) {
    const std::size_t got = source(content.data() + filled, content.size() - filled);
    if (got == 0) throw InvalidArgument(concat(quote_name(name), " has become shorter"));
    filled += got;
  }
  return content;
}

sys::UniqueFd make_spool(const Store& store) {
  const Store::Staging staging = store.make_staging("archive");
  const std::string path = staging.path + "/spool";
  sys::UniqueFd fd = sys::open_at(store.fd(), path, O_RDWR | O_CREAT | O_EXCL, 0600);
  sys::unlink_if_exists(store.fd(), path);
  sys::unlink_if_exists(store.fd(), staging.path, AT_REMOVEDIR);
  return fd;
}

ByteSource stream_of(int fd, const std::string& what) {
  return [fd, what](char* buffer, std::size_t room) {
    for (;;) {
      const ssize_t got = ::read(fd, buffer, room);
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) throw_errno("reading ", what);
    }
  };
}

std::unique_ptr<ArchiveFiles> open_archive(const Store& store, const std::string& path) {
  sys::UniqueFd fd(path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                               : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) throw_errno("opening ", path == "-" ? "standard input" : path);
  struct stat info;
  if (::fstat(fd.get(), &info) < 0) throw_errno("looking at ", path);
  if (S_ISDIR(info.st_mode)) return std::make_unique<DirectoryFiles>(std::move(fd));
  if (is_plain_file(fd.get())) return std::make_unique<TarFiles>(std::move(fd));
  return std::make_unique<TarFiles>(spool(store, fd.get(), path == "-" ? "standard input" : path));
}

}  // namespace knarr::storage
