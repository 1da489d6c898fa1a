// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "cli/commands/archive_verbs.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/source_date.h"
#include "cli/commands/store_verbs.h"
#include "engine/images.h"
#include "storage/archive_writer.h"

namespace knarr::cli {

namespace {

using storage::ArchiveFormat;

ArchiveFormat format_of(const Arguments& arguments) {
  const std::string text = arguments.text("format");
  const auto format = storage::parse_archive_format(text);
  if (!format)
    throw UsageError(
        concat("unknown format \"", text, "\": it is docker-archive, oci-archive, oci-dir or docker-dir"));
  return *format;
}

// What the formats are by themselves: OCI's layers are compressed, docker's are not.
bool wants_compression(const Arguments& arguments, ArchiveFormat format) {
  const bool compress = arguments.boolean("compress"), uncompressed = arguments.boolean("uncompressed");
  if (compress && uncompressed) throw UsageError("--compress and --uncompressed exclude each other");
  if (compress && !storage::is_directory_format(format))
    throw UsageError("--compress can only be set when --format is oci-dir or docker-dir");
  return compress ||
         (!uncompressed && (format == ArchiveFormat::oci_archive || format == ArchiveFormat::oci_dir));
}

std::string output_path(const Arguments& arguments, ArchiveFormat format) {
  const std::string path = arguments.text("output");
  if (!path.empty() && path != "-") return path;
  if (storage::is_directory_format(format)) throw UsageError("--output is needed for a directory");
  if (::isatty(STDOUT_FILENO) != 0)
    throw UsageError("refusing to save to a terminal, use the --output flag or redirect");
  return "-";
}

// The name is part of the archive unless the image was asked for by its id.
void add_image(const engine::Engine& engine, const std::string& text,
               std::vector<storage::ImageToSave>& images) {
  storage::Image image = engine::get_image(engine, text);
  engine::require_writable(image, "save");
  const std::string name = engine::resolve_image_name(engine, image, text).value_or("");
  for (storage::ImageToSave& known : images) {
    if (known.image.id != image.id) continue;
    if (!name.empty()) known.names.push_back(name);
    return;
  }
  images.push_back({std::move(image), name.empty() ? std::vector<std::string>() : std::vector{name}});
}

std::vector<storage::ImageToSave> images_of(const engine::Engine& engine, const Arguments& arguments) {
  const std::vector<std::string>& words = arguments.positional();
  std::vector<storage::ImageToSave> images;
  add_image(engine, words.at(0), images);
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (arguments.boolean("multi-image-archive")) {
      add_image(engine, words[i], images);
    } else {
      images[0].names.push_back(render(storage::normalize(storage::parse_reference(words[i]))));
    }
  }
  return images;
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const ArchiveFormat format = format_of(arguments);
  const auto compression =
      wants_compression(arguments, format) ? storage::Compression::gzip : storage::Compression::none;
  const storage::SaveOptions options = {
      .format = format, .compression = compression, .mtime = source_date().value_or(0)};
  const std::string path = output_path(arguments, format);
  const engine::Engine engine = open_engine(invocation);
  const std::vector<storage::ImageToSave> images = images_of(engine, arguments);
  engine.enter_r();
  with_context(concat("saving to ", path == "-" ? "standard output" : path),
               [&] { storage::save_archive(engine.store(), images, options, path); });
  return 0;
}

}  // namespace

constinit const Verb save_verb = implement(save_description, run);

}  // namespace knarr::cli
