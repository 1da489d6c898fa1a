// SPDX-License-Identifier: Apache-2.0
#include "engine/copy_archive.h"

#include <fcntl.h>
#include <unistd.h>

#include "engine/copy_place.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/archive_files.h"
#include "storage/layer/archive_insert.h"
#include "storage/layer/confine.h"
#include "storage/layer/tree_archive.h"

namespace knarr::engine {

namespace {

void require_directory(const CopyPlace& place) {
  if (place.find(place.text(), O_PATH | O_DIRECTORY)) return;
  throw InvalidArgument(
      concat("\"", place.text(), "\": the destination must be a directory when copying from standard input"));
}

// What the container does not map is left to the kernel to refuse.
std::function<std::uint32_t(std::uint32_t)> owner_in_r(rootless::IdMap map) {
  static constexpr std::uint32_t no_id = UINT32_MAX - 1;
  return
      [map = std::move(map)](std::uint32_t id) { return rootless::map_to_outside(map, id).value_or(no_id); };
}

// Of one thing, or of what is in a directory: see find_source().
void archive_source(const CopyPlace& place, storage::TarWriter& writer, storage::TreeArchiveOptions& options,
                    const std::function<void(const std::string&)>& warn) {
  const CopySource source = find_source(place);
  const sys::UniqueFd what = place.open(source.path, O_PATH);
  const sys::UniqueFd directory = place.find(source.path, O_RDONLY | O_DIRECTORY);
  const SplitPath split = split_path(source.path);
  const bool content = directory && (names_content(place.text()) || names_content(source.path));
  const sys::UniqueFd parent = content ? sys::UniqueFd() : place.open(split.parent, O_RDONLY | O_DIRECTORY);
  if (content && is_root_directory(place, directory.get())) options.leave_out = kernel_directories();
  storage::TreeArchiver archiver(writer, options);
  storage::confine_thread(place.root_fd());
  if (content) {
    archiver.add_content(directory.get(), "");
  } else {
    archiver.add(parent.get(), split.name, source.name);
  }
  writer.finish();
  for (const std::string& line : archiver.notices()) warn(line);
}

}  // namespace

void copy_to_archive(const Engine& engine, const CopyEnd& source) {
  const auto locks = lock_resting(engine, {source});
  enter_copying(engine);
  const CopyPlace from(engine, source);
  const rootless::IdMaps maps = container_maps(engine, engine.load_config(source.container_id));
  storage::TreeArchiveOptions options{.map_uid = seen_through(maps.uids), .map_gid = seen_through(maps.gids)};
  storage::TarWriter writer(
      [](std::string_view bytes) { sys::write_all(STDOUT_FILENO, bytes, "standard output"); });
  archive_source(from, writer, options, [&engine](const std::string& line) { engine.warn(line); });
}

void copy_from_archive(const Engine& engine, const CopyEnd& destination, const CopyOptions& options) {
  const auto locks = lock_resting(engine, {destination});
  enter_copying(engine);
  const CopyPlace to(engine, destination);
  require_directory(to);
  storage::ArchiveInsertOptions insert{.replace_other_kinds = options.replace_other_kinds};
  if (options.give_to_user) {
    insert.map_uid = [owner = to.owner()](std::uint32_t) { return owner.uid; };
    insert.map_gid = [owner = to.owner()](std::uint32_t) { return owner.gid; };
  } else {
    // The archive knows the ids of the container, files have those of R.
    const rootless::IdMaps maps = container_maps(engine, engine.load_config(destination.container_id));
    insert.map_uid = owner_in_r(maps.uids);
    insert.map_gid = owner_in_r(maps.gids);
  }
  for (const std::string& line : storage::insert_archive(storage::stream_of(STDIN_FILENO, "standard input"),
                                                         to.root_fd(), to.text(), insert)) {
    engine.warn(line);
  }
}

}  // namespace knarr::engine
