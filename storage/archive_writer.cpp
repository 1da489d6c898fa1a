// SPDX-License-Identifier: Apache-2.0
#include "storage/archive_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/archive_files.h"
#include "storage/content/compress.h"
#include "storage/content/hash.h"
#include "storage/image/image_checks.h"
#include "storage/image/image_config_json.h"
#include "storage/layer/assemble.h"
#include "storage/layer/tar_writer.h"
#include "storage/meta/random.h"
#include "storage/output_place.h"

namespace knarr::storage {
namespace {

// ---- where the files of an archive go ----

class ArchiveSink {
 public:
  virtual ~ArchiveSink() = default;
  // The file is as large as `size` says, or it is an error.
  virtual void add(const std::string& name, std::uint64_t size, const ByteSource& content) = 0;
  virtual void publish() = 0;
  // What a layout had before.
  virtual Index previous_index() const {
    Index index;
    index.media_type = oci_index_type;
    return index;
  }

  void add(const std::string& name, std::string_view content) {
    add(name, content.size(), [content](char* buffer, std::size_t size) mutable {
      const std::size_t part = content.copy(buffer, size);
      content.remove_prefix(part);
      return part;
    });
  }
};

void copy(const ByteSource& source, const ByteSink& sink) {
  std::string buffer(256u << 10, '\0');
  while (const std::size_t got = source(buffer.data(), buffer.size()))
    sink(std::string_view(buffer).substr(0, got));
}

class TarSink : public ArchiveSink {
 public:
  TarSink(const std::string& path, std::int64_t mtime)
      : file_(path), tar_(sink_to(file_.fd(), path == "-" ? "standard output" : path)), mtime_(mtime) {}

  void add(const std::string& name, std::uint64_t size, const ByteSource& content) override {
    add_parents(name);
    TarEntry entry = describe(TarType::file, name, 0644);
    entry.size = size;
    tar_.add(entry);
    copy(content, [&](std::string_view bytes) { tar_.write(bytes); });
  }
  void publish() override {
    tar_.finish();
    file_.publish();
  }

 private:
  TarEntry describe(TarType type, const std::string& path, std::uint32_t mode) const {
    TarEntry entry;
    entry.type = type;
    entry.path = path;
    entry.mode = mode;
    entry.mtime.tv_sec = mtime_;
    return entry;
  }
  void add_parents(const std::string& name) {
    for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
      const std::string directory = name.substr(0, slash);
      if (directories_.insert(directory).second) tar_.add(describe(TarType::directory, directory, 0755));
    }
  }

  OutputFile file_;
  TarWriter tar_;
  std::int64_t mtime_;
  std::set<std::string> directories_;
};

class DirectorySink : public ArchiveSink {
 public:
  // `replaced`: a directory with a file of this name is of the kind, and may be in its place.
  explicit DirectorySink(const std::string& path, const std::string& replaced = {})
      : directory_(path, replaced) {}

  void add(const std::string& name, std::uint64_t size, const ByteSource& content) override {
    if (const std::size_t slash = name.rfind('/'); slash != std::string::npos)
      sys::make_directories(directory_.fd(), name.substr(0, slash), 0755);
    const sys::UniqueFd file = sys::open_at(directory_.fd(), name, O_WRONLY | O_CREAT | O_EXCL, 0644);
    std::uint64_t written = 0;
    copy(content, [&](std::string_view bytes) {
      sys::write_all(file.get(), bytes, name);
      written += bytes.size();
    });
    if (written != size) throw Error(concat(name, " has ", written, " bytes, not ", size));
  }
  void publish() override { directory_.publish(); }

 private:
  OutputDirectory directory_;
};

// A layout that is there: blobs come to it one by one, and the index is exchanged at the end.
class LayoutSink : public ArchiveSink {
 public:
  explicit LayoutSink(const std::string& path)
      : layout_(sys::open_directory(AT_FDCWD, path)),
        previous_(parse_index(sys::read_file(layout_.get(), index_file, max_manifest_bytes))) {}

  Index previous_index() const override { return previous_; }
  void add(const std::string& name, std::uint64_t size, const ByteSource& content) override {
    if (name == index_file) {
      copy(content, [&](std::string_view bytes) { index_ += bytes; });
      return;
    }
    const auto there = sys::stat_at(layout_.get(), name);
    if (there && (name == "oci-layout" || static_cast<std::uint64_t>(there->st_size) == size)) return;
    const std::string directory = name.substr(0, name.rfind('/'));
    sys::make_directories(layout_.get(), directory, 0755);
    const std::string temporary = concat(directory, "/.new-", random_hex(16));
    write(temporary, content);
    if (::renameat(layout_.get(), temporary.c_str(), layout_.get(), name.c_str()) < 0) {
      const int code = errno;
      ::unlinkat(layout_.get(), temporary.c_str(), 0);
      throw_sys_error(code, concat("creating ", name));
    }
  }
  void publish() override {
    sys::replace_file(layout_.get(), index_file, index_, 0644, sys::Durability::none);
  }

 private:
  void write(const std::string& name, const ByteSource& content) {
    const sys::UniqueFd file = sys::open_at(layout_.get(), name, O_WRONLY | O_CREAT | O_EXCL, 0644);
    try {
      copy(content, [&](std::string_view bytes) { sys::write_all(file.get(), bytes, name); });
    } catch (...) {
      ::unlinkat(layout_.get(), name.c_str(), 0);
      throw;
    }
  }

  static constexpr const char* index_file = "index.json";
  sys::UniqueFd layout_;
  Index previous_;
  std::string index_;
};

// ---- an image as blobs ----

class ImageWriter {
 public:
  ImageWriter(const Store& store, const SaveOptions& options, ArchiveSink& sink)
      : store_(store), options_(options), sink_(sink) {}

  // Returns the digests of the manifests.
  std::vector<Digest> write(const std::vector<ImageToSave>& images) {
    switch (options_.format) {
      case ArchiveFormat::docker_archive:
        write_docker_archive(images);
        break;
      case ArchiveFormat::oci_archive:
      case ArchiveFormat::oci_dir:
        write_layout(images);
        break;
      case ArchiveFormat::docker_dir:
        write_docker_dir(images.at(0).image);
        break;
    }
    return std::move(manifests_);
  }

  // Returns the digest of the list's index.
  Digest write_list(ManifestList list, const std::string& name, const FetchImage& fetch) {
    const bool is_layout = options_.format != ArchiveFormat::docker_dir;
    const ListImages images(store_, list);
    for (ListEntry& entry : list.entries) {
      with_context(concat("image ", render(entry.descriptor.digest)), [&] {
        if (const Image* const image = images.find(entry)) {
          write_image_of_list(*image, entry);
        } else if (!entry.source.empty()) {
          copy_image(fetch(entry));
        } else {
          throw NotFound("it is not in the store");
        }
      });
    }
    const bool is_oci = is_layout || options_.kind == ManifestKind::oci;
    const std::string index = render_index(index_of(list, is_oci ? oci_index_type : docker_list_type));
    return is_layout ? put_into_layout(index, name) : put_into_directory(index);
  }

 private:
  using NameOf = std::function<std::string(const Digest&)>;
  static constexpr std::string_view layout_version = R"({"imageLayoutVersion":"1.0.0"})";
  static constexpr std::string_view directory_version = "Directory Transport Version: 1.1\n";

  // ---- docker-archive ----

  void write_docker_archive(const std::vector<ImageToSave>& images) {
    std::vector<ArchiveEntry> entries;
    for (const ImageToSave& each : images) {
      ArchiveEntry entry{.config = each.image.id + ".json", .repo_tags = each.names, .layers = {}};
      for (const Digest& layer : each.image.layers) {
        entry.layers.push_back(layer.hex + ".tar");
        add_plain_layer(layer, entry.layers.back());
      }
      add_once(entry.config, read_verified_config(store_, each.image));
      entries.push_back(std::move(entry));
    }
    sink_.add("manifest.json", render_archive_manifest(entries));
  }

  // ---- OCI layouts ----

  static std::string layout_name(const Digest& digest) {
    return concat("blobs/", digest.algorithm, '/', digest.hex);
  }

  void write_layout(const std::vector<ImageToSave>& images) {
    sink_.add("oci-layout", layout_version);
    Index index = sink_.previous_index();
    for (const ImageToSave& each : images) {
      const Descriptor descriptor = write_layout_image(each.image);
      manifests_.push_back(descriptor.digest);
      if (each.names.empty()) put_into_index(index, descriptor, {});
      for (const std::string& reference : each.names) put_into_index(index, descriptor, reference);
    }
    sink_.add("index.json", render_index(index));
  }

  Descriptor write_layout_image(const Image& image) {
    const std::string manifest = write_blobs(image, ManifestKind::oci, layout_name);
    return add_document(oci_manifest_type, manifest);
  }

  Descriptor add_document(std::string_view media_type, const std::string& document) {
    Descriptor descriptor;
    descriptor.media_type = media_type;
    descriptor.digest = digest_of(document);
    descriptor.size = document.size();
    add_once(layout_name(descriptor.digest), document);
    return descriptor;
  }

  // A name is one image's: it leaves the one that had it.
  static void put_into_index(Index& index, Descriptor descriptor, const std::string& reference) {
    constexpr const char* key = "org.opencontainers.image.ref.name";
    std::erase_if(index.manifests, [&](const Descriptor& other) {
      const auto name = other.annotations.find(key);
      if (name == other.annotations.end()) return reference.empty() && other.digest == descriptor.digest;
      return !reference.empty() && name->second == reference;
    });
    if (!reference.empty()) descriptor.annotations = {{key, reference}};
    index.manifests.push_back(std::move(descriptor));
  }

  // ---- docker-dir ----

  void write_docker_dir(const Image& image) {
    sink_.add("version", directory_version);
    const NameOf name = [](const Digest& digest) { return digest.hex; };
    const std::string manifest = write_blobs(image, options_.kind, name);
    sink_.add("manifest.json", manifest);
    manifests_.push_back(digest_of(manifest));
  }

  // ---- lists ----

  std::string blob_name(const Digest& digest) const {
    return options_.format == ArchiveFormat::docker_dir ? digest.hex : layout_name(digest);
  }

  void add_manifest_of_list(const Digest& digest, const std::string& manifest) {
    const bool is_directory = options_.format == ArchiveFormat::docker_dir;
    add_once(is_directory ? digest.hex + ".manifest.json" : layout_name(digest), manifest);
  }

  // What an entry says beside what its image is stays.
  void write_image_of_list(const Image& image, ListEntry& entry) {
    const bool is_directory = options_.format == ArchiveFormat::docker_dir;
    const ManifestKind kind = is_directory ? options_.kind : ManifestKind::oci;
    const std::string manifest =
        write_blobs(image, kind, [this](const Digest& digest) { return blob_name(digest); });
    entry.descriptor.media_type = manifest_media_type(kind);
    entry.descriptor.digest = digest_of(manifest);
    entry.descriptor.size = manifest.size();
    add_manifest_of_list(entry.descriptor.digest, manifest);
  }

  // As it is.
  void copy_image(const FetchedImage& image) {
    const Manifest manifest = parse_manifest(image.manifest);
    for (const Descriptor& layer : manifest.layers) {
      if (!is_foreign_layer(layer) || layer.urls.empty()) copy_blob(image, layer);
    }
    copy_blob(image, manifest.config);
    add_manifest_of_list(image.digest, image.manifest);
  }

  void copy_blob(const FetchedImage& image, const Descriptor& blob) {
    const std::string name = blob_name(blob.digest);
    if (!written_.insert(name).second) return;
    Hasher hasher(blob.digest.algorithm);
    const ByteSource source = image.open_blob(blob);
    sink_.add(name, blob.size, [&](char* buffer, std::size_t room) {
      const std::size_t got = source(buffer, room);
      hasher.update({buffer, got});
      if (got == 0) require_digest(blob.digest, hasher.finish());
      return got;
    });
  }

  static void require_digest(const Digest& promised, const Digest& found) {
    if (promised != found)
      throw InvalidArgument(concat("blob ", render(promised), " has digest ", render(found)));
  }

  Digest put_into_layout(const std::string& list, const std::string& name) {
    sink_.add("oci-layout", layout_version);
    const Descriptor descriptor = add_document(oci_index_type, list);
    Index index = sink_.previous_index();
    put_into_index(index, descriptor, name);
    sink_.add("index.json", render_index(index));
    return descriptor.digest;
  }

  Digest put_into_directory(const std::string& list) {
    sink_.add("version", directory_version);
    sink_.add("manifest.json", list);
    return digest_of(list);
  }

  // ---- all of them ----

  // Writes layers and config; returns the manifest.
  std::string write_blobs(const Image& image, ManifestKind kind, const NameOf& name) {
    std::vector<Descriptor> layers;
    for (const Digest& layer : image.layers) layers.push_back(add_layer(layer, kind, name));
    const std::string config = read_verified_config(store_, image);
    add_once(name({"sha256", image.id}), config);
    return compose_manifest(image, ImageStore(store_).read_manifest_json(image), kind, config.size(),
                            std::move(layers));
  }

  Descriptor add_layer(const Digest& diff_id, ManifestKind kind, const NameOf& name) {
    Descriptor descriptor;
    if (options_.compression != Compression::none) {
      descriptor = add_compressed_layer(diff_id, name);
    } else {
      descriptor.digest = diff_id;
      descriptor.size = add_plain_layer(diff_id, name(diff_id));
    }
    descriptor.media_type = layer_media_type(kind, options_.compression);
    return descriptor;
  }

  // Returns its size.
  std::uint64_t add_plain_layer(const Digest& diff_id, const std::string& name) {
    const std::optional<LayerMeta> meta = LayerStore(store_).find_layer(diff_id);
    if (!meta) throw NotFound(concat("layer ", render(diff_id), " is not in the store"));
    if (written_.insert(name).second) sink_.add(name, meta->tar_bytes, layer_tar(store_, diff_id));
    return meta->tar_bytes;
  }

  // Digest and size come before the bytes in every format, so they are known only after a copy on the disk.
  Descriptor add_compressed_layer(const Digest& diff_id, const NameOf& name) {
    if (const auto known = compressed_.find(diff_id); known != compressed_.end()) return known->second;
    const sys::UniqueFd spool = make_spool(store_);
    Descriptor blob;
    Hasher hasher;
    copy(compress_source(layer_tar(store_, diff_id), options_.compression, options_.level),
         [&](std::string_view bytes) {
           hasher.update(bytes);
           blob.size += bytes.size();
           sys::write_all(spool.get(), bytes, "a compressed layer into the store");
         });
    blob.digest = hasher.finish();
    if (::lseek(spool.get(), 0, SEEK_SET) < 0) throw_errno("reading a compressed layer");
    if (written_.insert(name(blob.digest)).second)
      sink_.add(name(blob.digest), blob.size, stream_of(spool.get(), "a compressed layer"));
    compressed_.emplace(diff_id, blob);
    return blob;
  }

  void add_once(const std::string& name, const std::string& content) {
    if (written_.insert(name).second) sink_.add(name, content);
  }

  const Store& store_;
  const SaveOptions& options_;
  ArchiveSink& sink_;
  std::set<std::string> written_;
  std::map<Digest, Descriptor> compressed_;
  std::vector<Digest> manifests_;
};

std::vector<Digest> contents_of(const std::vector<ImageToSave>& images) {
  std::vector<Digest> contents;
  for (const ImageToSave& each : images) {
    for (Digest& digest : storage::contents_of(each.image)) contents.push_back(std::move(digest));
  }
  return contents;
}

std::unique_ptr<ArchiveSink> make_sink(const SaveOptions& options, const std::string& path) {
  const bool is_layout = options.format == ArchiveFormat::oci_dir;
  if (options.extend && is_layout && sys::stat_at(AT_FDCWD, path + "/oci-layout"))
    return std::make_unique<LayoutSink>(path);
  if (options.extend && !is_layout && is_directory_format(options.format))
    return std::make_unique<DirectorySink>(path, "version");
  if (is_directory_format(options.format)) return std::make_unique<DirectorySink>(path);
  return std::make_unique<TarSink>(path, options.mtime);
}

constexpr std::pair<std::string_view, ArchiveFormat> formats[] = {
    {"docker-archive", ArchiveFormat::docker_archive},
    {"oci-archive", ArchiveFormat::oci_archive},
    {"oci-dir", ArchiveFormat::oci_dir},
    {"docker-dir", ArchiveFormat::docker_dir},
};

}  // namespace

std::optional<ArchiveFormat> parse_archive_format(std::string_view name) {
  for (const auto& [known, format] : formats) {
    if (name == known) return format;
  }
  return std::nullopt;
}

bool is_directory_format(ArchiveFormat format) {
  return format == ArchiveFormat::oci_dir || format == ArchiveFormat::docker_dir;
}

std::vector<Digest> save_archive(const Store& store, const std::vector<ImageToSave>& images,
                                 const SaveOptions& options, const std::string& path) {
  if (options.format == ArchiveFormat::docker_dir && images.size() > 1)
    throw Unsupported("a docker-dir holds one image only");
  const LayerClaim claim(store, contents_of(images));
  const std::unique_ptr<ArchiveSink> sink = make_sink(options, path);
  std::vector<Digest> manifests = ImageWriter(store, options, *sink).write(images);
  sink->publish();
  return manifests;
}

Digest save_list(const Store& store, const ManifestList& list, const std::string& name,
                 const SaveOptions& options, const std::string& path, const FetchImage& fetch) {
  if (options.format == ArchiveFormat::docker_archive)
    throw Unsupported("a docker-archive cannot hold a manifest list");
  const std::unique_ptr<ArchiveSink> sink = make_sink(options, path);
  const Digest digest = ImageWriter(store, options, *sink).write_list(list, name, fetch);
  sink->publish();
  return digest;
}

}  // namespace knarr::storage
