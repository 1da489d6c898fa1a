// SPDX-License-Identifier: Apache-2.0
// LayerStore::unpack_layer: source, blob digest, inflate, then side by side the diffID and the tree; checked,
// and published by one rename.
#include "storage/layer/unpack.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/sys/process.h"
#include "storage/content/decompress.h"
#include "storage/content/hash.h"
#include "storage/layer/assemble.h"
#include "storage/layer/chunk_flow.h"
#include "storage/layer/confine.h"
#include "storage/layer/diff_id_lock.h"
#include "storage/layer/layer_meta_json.h"
#include "storage/layer/parallel_run.h"
#include "storage/layer/shipped_blobs_json.h"
#include "storage/layer/split_repair.h"
#include "storage/layer/suspect.h"
#include "storage/layer/tar_reader.h"
#include "storage/layer/tar_split.h"
#include "storage/layer/tree_writer.h"
#include "storage/threads_end.h"

namespace knarr::storage {
namespace {

constexpr std::size_t chunks_per_layer = 16;
constexpr std::size_t max_layers_at_once = 3;

unsigned cpu_count() {
  cpu_set_t cpus;
  if (::sched_getaffinity(0, sizeof cpus, &cpus) < 0) return 1;
  return static_cast<unsigned>(CPU_COUNT(&cpus));
}

// ---- one layer, from its bytes to a tree ----

struct Unpacked {
  Digest diff_id;
  std::uint64_t tar_bytes = 0;
  std::uint64_t blob_bytes = 0;  // as it was shipped
  Compression compression = Compression::none;
  TreeSummary tree;
};

// The tar reader's view of a queue of chunks.
class QueueSource : public ChunkSource, public ContentSource {
 public:
  explicit QueueSource(ChunkQueue& queue) : queue_(queue) {}
  std::string_view next_chunk() override {
    do {
      current_ = queue_.pop();
    } while (current_ && current_->size == 0);
    return current_ ? current_->view() : std::string_view();
  }
  Piece next_piece() override {
    const std::string_view bytes = reader_->read_content();
    return {bytes, current_};
  }
  void read_by(TarReader& reader) { reader_ = &reader; }

 private:
  ChunkQueue& queue_;
  std::shared_ptr<const Chunk> current_;
  TarReader* reader_ = nullptr;
};

class Pipeline {
 public:
  Pipeline(int tree_fd, int split_fd, const UnpackRequest& request, unsigned creators)
      : tree_fd_(tree_fd), split_fd_(split_fd), request_(request), creators_(creators) {}

  Unpacked run() {
    policy_ = policy_of_this_process();
    {
      std::jthread hash, tree;  // joined at the end of the block
      guard([&] {
        hash = std::jthread([this] { guard([this] { hash_tar(); }); });
        tree = std::jthread([this] { guard([this] { write_tree(); }); });
        read_blob();
      });
    }
    if (failure_) std::rethrow_exception(failure_);
    return std::move(result_);
  }

 private:
  template <typename Stage>
  void guard(Stage&& stage) noexcept {
    try {
      stage();
    } catch (const Stopped&) {
    } catch (...) {
      const std::lock_guard lock(failure_mutex_);
      if (!failure_) failure_ = std::current_exception();
      pool_.stop();
      to_hash_.stop();
      to_tree_.stop();
    }
  }

  void read_blob() {
    std::optional<Hasher> hasher;
    if (request_.blob_digest) hasher.emplace(request_.blob_digest->algorithm);
    std::uint64_t blob_bytes = 0;
    Decompressor decompressor([&](char* buffer, std::size_t size) {
      const std::size_t got = request_.source(buffer, size);
      blob_bytes += got;
      if (hasher) hasher->update({buffer, got});
      return got;
    });
    for (;;) {
      std::shared_ptr<Chunk> chunk = pool_.acquire();
      chunk->size = decompressor.read(chunk->bytes.get(), chunk_size);
      if (chunk->size == 0) break;
      to_hash_.push(chunk);
      to_tree_.push(std::move(chunk));
    }
    if (hasher) check("blob", hasher->finish(), *request_.blob_digest);
    result_.blob_bytes = blob_bytes;
    result_.compression = decompressor.compression();
    to_hash_.finish();
    to_tree_.finish();
  }

  void hash_tar() {
    Hasher hasher(request_.diff_id ? request_.diff_id->algorithm : "sha256");
    while (const std::shared_ptr<const Chunk> chunk = to_hash_.pop()) {
      hasher.update(chunk->view());
      result_.tar_bytes += chunk->size;
    }
    result_.diff_id = hasher.finish();
    if (request_.diff_id) check("uncompressed layer", result_.diff_id, *request_.diff_id);
  }

  void write_tree() {
    confine_thread(tree_fd_);
    QueueSource source(to_tree_);
    SplitWriter split(split_fd_);
    TarReader reader(source, {}, &split);
    source.read_by(reader);
    TreeWriter writer(tree_fd_, policy_, creators_, split);
    for (TarEntry entry; reader.next(entry);) writer.add(entry, source);
    result_.tree = writer.finish();
    reader.drain();
    split.finish();
  }

  static void check(std::string_view what, const Digest& found, const Digest& wanted) {
    if (found != wanted)
      throw InvalidArgument(concat("the ", what, " has digest ", render(found), ", not ", render(wanted)));
  }

  int tree_fd_;
  int split_fd_;
  const UnpackRequest& request_;
  unsigned creators_;
  TreePolicy policy_;
  ChunkPool pool_{chunks_per_layer};
  ChunkQueue to_hash_;
  ChunkQueue to_tree_;
  Unpacked result_;
  std::mutex failure_mutex_;
  std::exception_ptr failure_;
};

// ---- into the store ----

// The directory the tree grows in: owner, mode and default ACL as nothing around the store has set them.
sys::UniqueFd make_tree_root(const Store& store, const std::string& staging) {
  const std::string path = staging + "/diff";
  sys::make_directory(store.fd(), path, 0755);
  sys::UniqueFd fd = sys::open_directory(store.fd(), path);
  ::fremovexattr(fd.get(), "system.posix_acl_default");
  ::fremovexattr(fd.get(), "system.posix_acl_access");
  if (::fchown(fd.get(), 0, 0) < 0) throw_errno("giving ", path, " to root");
  if (::fchmod(fd.get(), 0755) < 0) throw_errno("setting the mode of ", path);
  return fd;
}

LayerMeta meta_of(Unpacked& unpacked) {
  LayerMeta meta;
  meta.diff_id = unpacked.diff_id;
  meta.tar_bytes = unpacked.tar_bytes;
  meta.tree_bytes = unpacked.tree.tree_bytes;
  meta.entries = unpacked.tree.entries;
  meta.boot_id = current_boot_id();
  meta.notices = std::move(unpacked.tree.notices);
  return meta;
}

// What lies in the way is torn or suspect (or, for an import, the same).
LayerMeta publish(const Store& store, const std::string& staging, const LayerMeta& meta) {
  const std::string path = layer_directory(meta.diff_id);
  sys::create_file(store.fd(), staging + "/meta.json", render_layer_meta(meta), 0600, sys::Durability::none);
  while (::renameat(store.fd(), staging.c_str(), store.fd(), path.c_str()) < 0) {
    if (errno != EEXIST && errno != ENOTEMPTY) throw_errno("publishing ", path);
    const auto there = LayerStore(store).find_layer(meta.diff_id);
    if (there && !is_suspect(*there)) {
      store.move_to_trash(staging);
      return *there;
    }
    store.move_to_trash(path);
  }
  return meta;
}

// Deleting is for later: ext4 searches freed inodes one by one when files are created soon after.
void discard(const Store& store, const std::string& staging) noexcept {
  try {
    store.move_to_trash(staging);
  } catch (const Error&) {
    // It is garbage where it lies as soon as its lock is gone, and the first error is the one to tell.
  }
}

// What other entries took the names of lies aside in the tree. Its content goes into the split, then it goes
// away; when that is not possible the layer does without a split.
void put_displaced_away(const Store& store, const std::string& staging, Unpacked& unpacked) {
  const DisplacedFiles& displaced = unpacked.tree.displaced;
  const sys::UniqueFd layer = sys::open_directory(store.fd(), staging);
  bool is_exact = displaced.is_complete;
  if (!displaced.directory.empty()) {
    is_exact = is_exact && store_displaced_content(layer.get(), displaced);
    const sys::UniqueFd tree = sys::open_directory(layer.get(), "diff");
    struct stat info;
    if (::fstat(tree.get(), &info) < 0) throw_errno("looking at the tree");
    store.move_to_trash(concat(staging, "/diff/", displaced.directory));
    const std::timespec times[2] = {info.st_atim, info.st_mtim};
    if (::futimens(tree.get(), times) < 0) throw_errno("setting the time of the tree");
    is_exact = is_exact && has_assembled_digest(layer.get(), unpacked.diff_id);
  }
  if (is_exact) return;
  sys::unlink_if_exists(layer.get(), "tar.zst");
  unpacked.tree.notices.push_back("the tar writes over its own files too often to be made again exactly");
}

// What was shipped has now been seen to give this layer: a push may name it instead of sending it.
void write_shipped_blob(const Store& store, const std::string& staging, const Digest& blob,
                        const Unpacked& unpacked) {
  const ShippedBlob shipped{blob, unpacked.blob_bytes, unpacked.compression, {}};
  sys::create_file(store.fd(), concat(staging, '/', shipped_blobs_file), render_shipped_blobs({shipped}),
                   0600, sys::Durability::none);
}

LayerMeta unpack_new(const Store& store, const UnpackRequest& request, unsigned creators) {
  const Store::Staging staging = store.make_staging("layer");
  try {
    const sys::UniqueFd tree = make_tree_root(store, staging.path);
    constexpr int flags = O_WRONLY | O_CREAT | O_EXCL;
    const sys::UniqueFd split = sys::open_at(store.fd(), staging.path + "/tar.zst", flags, 0600);
    Unpacked unpacked = Pipeline(tree.get(), split.get(), request, creators).run();
    put_displaced_away(store, staging.path, unpacked);
    if (request.blob_digest) write_shipped_blob(store, staging.path, *request.blob_digest, unpacked);
    if (request.before_publish) request.before_publish();
    return publish(store, staging.path, meta_of(unpacked));
  } catch (...) {
    discard(store, staging.path);
    throw;
  }
}

std::optional<LayerMeta> find_trusted(const Store& store, const Digest& diff_id) {
  std::optional<LayerMeta> present = LayerStore(store).find_layer(diff_id);
  if (present && is_suspect(*present)) return std::nullopt;
  return present;
}

LayerMeta unpack(const Store& store, const UnpackRequest& request, unsigned creators) {
  if (!request.diff_id) return unpack_new(store, request, creators);
  return with_context(concat("unpacking layer ", render(*request.diff_id)), [&] {
    // What cannot be verified is fetched again: the bytes are at hand.
    if (const auto present = LayerStore(store).find_layer(*request.diff_id)) {
      if (!is_suspect(*present)) return *present;
      if (is_exact(store, *request.diff_id)) {
        if (const auto settled = settle_suspect_layer(store, *request.diff_id, nullptr)) return *settled;
      }
    }
    const DiffIdLock lock(store, *request.diff_id);
    if (const auto present = find_trusted(store, *request.diff_id)) return *present;
    return unpack_new(store, request, creators);
  });
}

// ---- several layers ----

// Takes layers from the largest on, until none is left or one has failed.
class LayerCrew {
 public:
  LayerCrew(const Store& store, const std::vector<LayerSource>& layers, const std::vector<std::size_t>& order)
      : store_(store), layers_(layers), order_(order), metas_(layers.size()) {}

  std::vector<LayerMeta> run() {
    const std::size_t workers = std::min(max_layers_at_once, order_.size());
    // Several layers keep a few processors busy without more threads.
    const unsigned most = workers > 1 ? cpu_count() / 6 : cpu_count();
    const unsigned creators = std::clamp(most, 1u, 4u);
    parallel_.run(order_.size(), workers, [&](std::size_t next) {
      metas_[order_[next]] = unpack(store_, stoppable(layers_[order_[next]].request), creators);
    });
    return std::move(metas_);
  }

 private:
  UnpackRequest stoppable(const UnpackRequest& request) const {
    UnpackRequest wrapped = request;
    wrapped.source = [this, &request](char* buffer, std::size_t size) {
      if (parallel_.has_failed()) throw Error("given up because another layer failed");
      return request.source(buffer, size);
    };
    return wrapped;
  }

  const Store& store_;
  const std::vector<LayerSource>& layers_;
  const std::vector<std::size_t>& order_;
  std::vector<LayerMeta> metas_;
  ParallelRun parallel_;
};

}  // namespace

LayerMeta LayerStore::unpack_layer(const UnpackRequest& request) const {
  const ThreadsEnd threads_end;
  return unpack(store_, request, std::min(4u, cpu_count()));
}

std::vector<LayerMeta> unpack_layers(const Store& store, const std::vector<LayerSource>& layers) {
  std::map<Digest, std::size_t> first;  // of each diffID
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto& diff_id = layers[i].request.diff_id;
    if (!diff_id || first.emplace(*diff_id, i).second) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return layers[a].shipped_size > layers[b].shipped_size;
  });
  std::vector<LayerMeta> metas = LayerCrew(store, layers, order).run();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto& diff_id = layers[i].request.diff_id;
    if (diff_id && first.at(*diff_id) != i) metas[i] = metas[first.at(*diff_id)];
  }
  return metas;
}

PlacedLayer place_layer(const Store& store, const Digest& diff_id,
                        const std::function<LayerMeta(int tree_fd)>& grow) {
  const ThreadsEnd threads_end;
  if (const auto present = find_trusted(store, diff_id)) return {*present, false};
  const DiffIdLock lock(store, diff_id);
  if (const auto present = find_trusted(store, diff_id)) return {*present, false};
  const Store::Staging staging = store.make_staging("layer");
  try {
    const sys::UniqueFd tree = make_tree_root(store, staging.path);
    LayerMeta meta = grow(tree.get());
    meta.diff_id = diff_id;
    meta.boot_id = current_boot_id();
    return {publish(store, staging.path, meta), true};
  } catch (...) {
    discard(store, staging.path);
    throw;
  }
}

void make_durable(const Store& store, const std::vector<Digest>& diff_ids) {
  if (::syncfs(store.fd()) < 0) throw_errno("syncing the store ", store.root());
  for (const Digest& diff_id : diff_ids) {
    std::optional<LayerMeta> meta = LayerStore(store).find_layer(diff_id);
    // What an earlier boot left undurable was on its way while the power went: no sync mends that.
    if (meta && !meta->durable && !is_suspect(*meta)) note_durable(store, *meta);
  }
}

void make_durable_in_background(const Store& store, const std::vector<Digest>& diff_ids) {
  const pid_t child = sys::fork_child([&] {
    // A second fork: the process that works is nobody's child, and nobody has to wait for it.
    if (::fork() != 0) return 0;
    ::setsid();
    // Whoever reads our output to its end must not wait for the disk.
    const int null = sys::open_at(AT_FDCWD, "/dev/null", O_RDWR).release();
    for (int fd = 0; fd < 3; ++fd) ::dup2(null, fd);
    ::close_range(3, static_cast<unsigned>(store.fd()) - 1, 0);
    ::close_range(static_cast<unsigned>(store.fd()) + 1, ~0u, 0);
    ::setpriority(PRIO_PROCESS, 0, 19);
    constexpr int idle_class = 3 << 13, of_process = 1;  // ioprio_set(2): IOPRIO_CLASS_IDLE
    ::syscall(SYS_ioprio_set, of_process, 0, idle_class);
    make_durable(store, diff_ids);
    return 0;
  });
  sys::wait_child(child);
}

void settle_layers(const Store& store, const std::vector<Digest>& diff_ids, Settling settling) {
  if (settling == Settling::now) return make_durable(store, diff_ids);
  try {
    make_durable_in_background(store, diff_ids);
  } catch (const Error&) {
    make_durable(store, diff_ids);
  }
}

}  // namespace knarr::storage
