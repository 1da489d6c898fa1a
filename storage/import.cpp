// SPDX-License-Identifier: Apache-2.0
// import_tree: a root file system tar becomes an image of one layer.
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <utility>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/archive.h"
#include "storage/archive_files.h"
#include "storage/content/hash.h"
#include "storage/image/change.h"
#include "storage/image/image_config_json.h"
#include "storage/image/plain_manifest.h"
#include "storage/image/platform.h"
#include "storage/layer/unpack.h"

namespace knarr::storage {
namespace {

std::string now_rfc3339() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  ::gmtime_r(&now.tv_sec, &utc);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ", utc.tm_year + 1900, utc.tm_mon + 1,
                utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec);
  return text;
}

// An empty input is a command that failed before ours, not a tree without files.
ByteSource not_empty(ByteSource source) {
  return [source = std::move(source), is_first = true](char* buffer, std::size_t size) mutable {
    const std::size_t got = source(buffer, size);
    if (std::exchange(is_first, false) && got == 0) throw InvalidArgument("it is empty");
    return got;
  };
}

// The gc lock is taken when everything is read: a slow source must not keep others from removing images.
LayerMeta unpack_tar(const Store& store, const std::string& path, std::optional<sys::Lock>& gc) {
  const bool is_input = path == "-";
  const sys::UniqueFd file = is_input ? sys::UniqueFd() : sys::open_at(AT_FDCWD, path, O_RDONLY | O_NOCTTY);
  UnpackRequest request;
  request.source =
      not_empty(stream_of(is_input ? STDIN_FILENO : file.get(), is_input ? "standard input" : path));
  request.before_publish = [&] { gc = store.lock_gc(sys::Lock::Mode::shared); };
  return LayerStore(store).unpack_layer(request);
}

// The image but for its layer: what may be wrong with the options shows before anything is unpacked.
Image plan_image(const ImportOptions& options, const std::string& origin) {
  const Platform host = host_platform();
  Image image;
  image.created = now_rfc3339();
  image.os = options.os.empty() ? host.os : options.os;
  image.architecture = options.architecture.empty() ? host.architecture : options.architecture;
  image.variant = options.variant;
  image.comment = options.message;
  for (const std::string& change : options.changes) apply_change(image.config, change);
  image.history.push_back({.created = image.created,
                           .comment = options.message.empty() ? "Imported from " + origin : options.message});
  return image;
}

void add_layer(Image& image, const LayerMeta& meta) {
  image.layers = {meta.diff_id};
  image.layer_sizes = {meta.tree_bytes};
  image.size = meta.tree_bytes;
  image.history[0].created_by = concat("/bin/sh -c #(nop) ADD file:", meta.diff_id.hex, " in /");
}

}  // namespace

Image import_tree(const Store& store, const std::string& tar_path, const ImportOptions& options) {
  const std::string path = tar_path == "-" ? "standard input" : tar_path;
  const std::string origin = options.origin.empty() ? path : options.origin;
  return with_context("importing " + origin, [&] {
    std::vector<Reference> names;
    if (!options.name.empty()) names.push_back(normalize(parse_reference(options.name)));
    Image image = plan_image(options, origin);
    std::optional<sys::Lock> gc;
    const LayerMeta meta = unpack_tar(store, tar_path, gc);
    add_layer(image, meta);
    const std::string config_json = render_image_config(image);
    image.id = digest_of(config_json).hex;
    const std::string manifest_json = make_plain_manifest(image, config_json.size(), {meta});
    ImageStore(store).add_image(image, manifest_json, config_json, names);
    settle_layers(store, image.layers, options.settling);
    for (const Reference& name : names) image.names.push_back(render(name));
    return image;
  });
}

}  // namespace knarr::storage
