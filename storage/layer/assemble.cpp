// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/assemble.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>
#include <thread>
#include <unordered_set>
#include <utility>

#include "rootless/sys/file.h"
#include "storage/archive_files.h"
#include "storage/content/hash.h"
#include "storage/layer/attribute_check.h"
#include "storage/layer/chunk_flow.h"
#include "storage/layer/tar_header.h"
#include "storage/threads_end.h"

namespace knarr::storage {
namespace {

struct OpenLayer {
  sys::UniqueFd tree;
  sys::UniqueFd split;  // empty: there is none
};

OpenLayer open_layer(const Store& store, const Digest& diff_id) {
  const std::string directory = layer_directory(diff_id);
  OpenLayer layer;
  layer.tree = sys::find_at(store.fd(), directory + "/diff", O_RDONLY | O_DIRECTORY);
  if (!layer.tree) throw NotFound(concat("layer ", render(diff_id), " is not in the store"));
  layer.split = sys::find_at(store.fd(), directory + "/tar.zst", O_RDONLY);
  return layer;
}

// What cannot be read is as lost as what is missing; what else fails is no fault of the layer.
template <typename Act>
std::string damage_of(Act&& act) {
  try {
    act();
    return {};
  } catch (const DamagedLayer& error) {
    return error.message();
  } catch (const InvalidArgument& error) {  // the split itself
    return error.message();
  } catch (const SysError& error) {
    if (error.code() != EIO) throw;
    return error.message();
  }
}

void require_digest(const Digest& found, const Digest& wanted) {
  if (found != wanted)
    throw DamagedLayer(concat("its tar has digest ", render(found), ", not ", render(wanted)));
}

// All bytes of the tar in whole chunks.
void read_chunks(AssembledTar& tar, ChunkPool& pool, ChunkQueue& queue) {
  std::shared_ptr<Chunk> chunk;
  for (std::string_view piece; !(piece = tar.next_chunk()).empty();) {
    while (!piece.empty()) {
      if (!chunk) {
        chunk = pool.acquire();
        chunk->size = 0;
      }
      const std::size_t part = piece.copy(chunk->bytes.get() + chunk->size, chunk_size - chunk->size);
      chunk->size += part;
      piece.remove_prefix(part);
      if (chunk->size == chunk_size) queue.push(std::move(chunk));
    }
  }
  if (chunk) queue.push(std::move(chunk));
}

// One thread reads files, one hashes.
Digest hash_tar(AssembledTar& tar, const std::string& algorithm) {
  const ThreadsEnd threads_end;
  ChunkPool pool(8);
  ChunkQueue queue;
  Hasher hasher(algorithm);
  std::jthread hashing;  // joined before what it uses goes
  try {
    hashing = std::jthread([&] {
      while (const std::shared_ptr<const Chunk> chunk = queue.pop()) hasher.update(chunk->view());
    });
  } catch (const std::system_error&) {  // no more threads for this user
    for (std::string_view piece; !(piece = tar.next_chunk()).empty();) hasher.update(piece);
    return hasher.finish();
  }
  try {
    read_chunks(tar, pool, queue);
  } catch (...) {
    queue.finish();
    throw;
  }
  queue.finish();
  hashing.join();
  return hasher.finish();
}

// The sizes of all files, one of several names counted once.
class TreeBytes {
 public:
  std::uint64_t sum(int directory_fd) {
    add(directory_fd);
    return bytes_;
  }

 private:
  void add(int directory_fd) {
    for (const std::string& name : sys::list_directory(directory_fd, ".")) {
      const auto info = sys::stat_at(directory_fd, name, AT_SYMLINK_NOFOLLOW);
      if (info && S_ISDIR(info->st_mode)) {
        add(sys::open_at(directory_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).get());
      } else if (info && S_ISREG(info->st_mode) &&
                 (info->st_nlink == 1 || seen_.insert(info->st_ino).second)) {
        bytes_ += static_cast<std::uint64_t>(info->st_size);
      }
    }
  }

  std::uint64_t bytes_ = 0;
  std::unordered_set<ino_t> seen_;
};

// All there is to compare without a split. A file cut short by a power cut shows in it.
std::string compare_sizes(const Store& store, const Digest& diff_id, const OpenLayer& layer) {
  const std::optional<LayerMeta> meta = LayerStore(store).find_layer(diff_id);
  if (!meta) return "its record is missing or torn";
  const std::uint64_t bytes = TreeBytes().sum(layer.tree.get());
  if (bytes >= meta->tree_bytes) return {};
  return concat("its files hold ", bytes, " bytes, not ", meta->tree_bytes);
}

}  // namespace

// ---- the tar ----

AssembledTar::AssembledTar(int tree_fd, int split_fd)
    : split_(stream_of(split_fd, "tar.zst")), files_(tree_fd), buffer_(256u << 10, '\0') {}

std::string_view AssembledTar::next_chunk() {
  while (open_record()) {
    const std::string_view piece = in_raw_ ? split_.read_raw() : read_file();
    given_ += piece.size();
    if (!piece.empty()) return piece;
  }
  return {};
}

std::uint64_t AssembledTar::skip(std::uint64_t size) {
  if (!open_record() || !in_file_) return 0;
  is_checked_ = false;
  std::uint64_t skipped = 0;
  const std::vector<TarExtent>& extents = split_.content().extents;
  while (skipped < size && extent_ < extents.size()) {
    const std::uint64_t part = std::min(size - skipped, extents[extent_].size - offset_);
    skipped += part;
    offset_ += part;
    if (offset_ < extents[extent_].size) break;
    ++extent_;
    offset_ = 0;
  }
  if (extent_ == extents.size()) close_file();
  given_ += skipped;
  return skipped;
}

std::optional<SplitPlace> AssembledTar::take_place(std::uint64_t position) {
  if (position != given_) return std::nullopt;  // raw bytes follow in what the reader has already
  place_.reset();
  open_record();
  return std::exchange(place_, std::nullopt);
}

bool AssembledTar::open_record() {
  if (split_.is_raw_over()) in_raw_ = false;
  if (in_raw_ || in_file_) return true;
  SplitReader::Kind kind;
  while ((kind = split_.next()) == SplitReader::Kind::place) place_ = split_.place();
  if (kind == SplitReader::Kind::end) return false;
  in_raw_ = kind == SplitReader::Kind::raw;
  if (in_raw_) return true;
  in_file_ = true;
  is_checked_ = true;
  extent_ = 0;
  offset_ = 0;
  checksum_ = Checksum();
  return true;
}

// The next piece of the file at hand, empty when it is over.
std::string_view AssembledTar::read_file() {
  const SplitContent& content = split_.content();
  const std::string name = quote_name(content.path);
  if (!file_) file_ = files_.open_file(content.path);
  if (!file_) throw DamagedLayer(concat("file ", name, " is missing"));
  if (extent_ == content.extents.size()) {
    if (is_checked_ && checksum_.value() != content.checksum)
      throw DamagedLayer(concat("the content of file ", name, " differs"));
    close_file();
    return {};
  }
  const TarExtent& extent = content.extents[extent_];
  const std::size_t wanted = std::min<std::uint64_t>(buffer_.size(), extent.size - offset_);
  ssize_t got;
  do {
    got = ::pread(file_.get(), buffer_.data(), wanted, static_cast<off_t>(extent.offset + offset_));
  } while (got < 0 && errno == EINTR);
  if (got < 0) throw_errno("reading file ", name);
  if (got == 0) throw DamagedLayer(concat("file ", name, " is shorter than it was"));
  const std::string_view piece = std::string_view(buffer_).substr(0, static_cast<std::size_t>(got));
  checksum_.update(piece);
  offset_ += piece.size();
  if (offset_ == extent.size) {
    ++extent_;
    offset_ = 0;
  }
  return piece;
}

void AssembledTar::close_file() {
  in_file_ = false;
  file_.reset();
}

bool is_exact(const Store& store, const Digest& diff_id) {
  return sys::stat_at(store.fd(), layer_directory(diff_id) + "/tar.zst").has_value();
}

bool has_assembled_digest(int layer_fd, const Digest& diff_id) {
  const sys::UniqueFd tree = sys::open_directory(layer_fd, "diff");
  const sys::UniqueFd split = sys::open_at(layer_fd, "tar.zst", O_RDONLY);
  return damage_of([&] {
           AssembledTar tar(tree.get(), split.get());
           require_digest(hash_tar(tar, diff_id.algorithm), diff_id);
         })
      .empty();
}

namespace {

// The bytes of a layer as somebody asks for them, the digest at the end.
struct LayerTar {
  LayerTar(OpenLayer opened, const Digest& id)
      : layer(std::move(opened)),
        diff_id(id),
        tar(layer.tree.get(), layer.split.get()),
        hasher(id.algorithm) {}

  std::size_t read(char* buffer, std::size_t size) {
    if (at_end) return 0;
    if (rest.empty()) rest = tar.next_chunk();
    const std::size_t part = rest.copy(buffer, size);
    rest.remove_prefix(part);
    hasher.update({buffer, part});
    if (part == 0 && size > 0) {
      at_end = true;
      require_digest(hasher.finish(), diff_id);
    }
    return part;
  }

  OpenLayer layer;
  Digest diff_id;
  AssembledTar tar;
  Hasher hasher;
  std::string_view rest;
  bool at_end = false;
};

}  // namespace

ByteSource layer_tar(const Store& store, const Digest& diff_id) {
  const std::string what = "layer " + render(diff_id);
  OpenLayer layer = open_layer(store, diff_id);
  if (!layer.split) {
    Unsupported error(what + " was unpacked without what is needed to write it out again");
    error.set_hint("remove the image and load or pull it again");
    throw error;
  }
  const auto tar = with_context(what, [&] { return std::make_shared<LayerTar>(std::move(layer), diff_id); });
  return [tar, what](char* buffer, std::size_t size) {
    return with_context(what, [&] { return tar->read(buffer, size); });
  };
}

// ---- verification ----

LayerVerdict verify_layer(const Store& store, const Digest& diff_id) {
  const OpenLayer layer = open_layer(store, diff_id);
  if (!layer.split) return {compare_sizes(store, diff_id, layer), false};
  std::string damage = damage_of([&] {
    AssembledTar tar(layer.tree.get(), layer.split.get());
    require_digest(hash_tar(tar, diff_id.algorithm), diff_id);
  });
  if (!damage.empty()) return {std::move(damage), true};
  return verify_layer_attributes(store, diff_id);
}

LayerVerdict verify_layer_attributes(const Store& store, const Digest& diff_id) {
  const OpenLayer layer = open_layer(store, diff_id);
  if (!layer.split) return {compare_sizes(store, diff_id, layer), false};
  std::string difference;
  std::string damage = damage_of([&] {
    AssembledTar tar(layer.tree.get(), layer.split.get());
    difference = find_attribute_difference(tar, layer.tree.get());
  });
  return {damage.empty() ? std::move(difference) : std::move(damage), true};
}

}  // namespace knarr::storage
