// SPDX-License-Identifier: Apache-2.0
#include "storage/foreign/foreign_layer.h"

#include <fcntl.h>
#include <sched.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <thread>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/archive_files.h"
#include "storage/foreign/linked_tree.h"
#include "storage/foreign/recorded_files.h"

namespace knarr::storage {
namespace {

unsigned cpu_count() {
  cpu_set_t cpus;
  if (::sched_getaffinity(0, sizeof cpus, &cpus) < 0) return 1;
  return static_cast<unsigned>(std::max(CPU_COUNT(&cpus), 1));
}

std::optional<RecordedFiles> read_record(const ForeignStore& source, const ForeignLayer& layer) {
  const std::string path = ForeignStore::tar_split_path(layer);
  const sys::UniqueFd file = sys::find_at(source.fd(), path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file) return std::nullopt;
  return with_context(path, [&] { return read_recorded_files(stream_of(file.get(), path)); });
}

// Reads the record beside the walk of the tree.
class RecordReader {
 public:
  RecordReader(const ForeignStore& source, const ForeignLayer& layer)
      : thread_([this, &source, &layer]() noexcept {
          try {
            record_ = read_record(source, layer);
          } catch (...) {
            failure_ = std::current_exception();
          }
        }) {}
  std::optional<RecordedFiles> take() {
    thread_.join();
    if (failure_) std::rethrow_exception(failure_);
    return std::move(record_);
  }

 private:
  std::optional<RecordedFiles> record_;
  std::exception_ptr failure_;
  std::jthread thread_;
};

[[noreturn]] void throw_torn(const std::string& path, const std::string& how) {
  InvalidArgument error(
      concat("/", path, " ", how, ": the layer was torn by a crash or changed since it was pulled"));
  error.set_hint("pull the image again with the program whose store it is, or here");
  throw error;
}

// That every file with content is there and no shorter than it was.
void require_complete(const LinkedTree& tree, RecordedFiles& record) {
  for (const auto& [path, size] : tree.files) {
    const auto recorded = record.sizes.find(path);
    if (recorded == record.sizes.end()) continue;
    if (size < recorded->second) throw_torn(path, concat("has ", size, " bytes of ", recorded->second));
    record.sizes.erase(recorded);
  }
  if (!record.sizes.empty()) throw_torn(record.sizes.begin()->first, "is missing");
}

// Its directory of the driver tells of what a plain tree cannot hold.
void require_plain_layer(const ForeignStore& source, const ForeignLayer& layer) {
  for (const char* name : {"composefs-data", "diff1"}) {
    if (sys::stat_at(source.fd(), concat("overlay/", layer.id, '/', name)))
      throw Unsupported("its files are kept by composefs");
  }
}

struct Walk {
  LinkedTree tree;
  bool has_root = true;  // whether the layer says what its root is like
};

Walk walk_layer(const ForeignStore& source, const ForeignLayer& layer, int tree_fd, int target_fd,
                TreeUse use) {
  require_plain_layer(source, layer);
  RecordReader reader(source, layer);
  Walk walk{link_tree(tree_fd, target_fd, use, std::min(cpu_count(), 4u))};
  std::optional<RecordedFiles> record = reader.take();
  if (!record) return walk;
  require_complete(walk.tree, *record);
  walk.has_root = record->has_root;
  return walk;
}

sys::UniqueFd open_tree(const ForeignStore& source, const ForeignLayer& layer) {
  return sys::open_at(source.fd(), ForeignStore::tree_path(layer), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

LayerMeta meta_of(const ForeignLayer& layer, const LinkedTree& tree) {
  LayerMeta meta;
  meta.diff_id = layer.diff_id;
  meta.tar_bytes = layer.tar_bytes;
  meta.tree_bytes = tree.tree_bytes;
  meta.entries = tree.entries;
  return meta;
}

}  // namespace

GrownLayer grow_foreign_layer(const ForeignStore& source, const ForeignLayer& layer, int target_fd) {
  const sys::UniqueFd tree = open_tree(source, layer);
  const Walk walk = walk_layer(source, layer, tree.get(), target_fd, TreeUse::link);
  // Without an entry for it the root is as whoever unpacks likes it; ours is made already.
  if (walk.has_root) copy_directory_attributes(tree.get(), target_fd);
  return {meta_of(layer, walk.tree), walk.tree.copied};
}

LayerMeta check_foreign_layer(const ForeignStore& source, const ForeignLayer& layer) {
  const sys::UniqueFd tree = open_tree(source, layer);
  return meta_of(layer, walk_layer(source, layer, tree.get(), -1, TreeUse::check).tree);
}

}  // namespace knarr::storage
