// SPDX-License-Identifier: Apache-2.0
// Images to files: docker-archive (.tar as docker save writes it), oci-archive (.tar of an OCI layout), an
// OCI layout directory, docker-dir (skopeo's "dir:"). Run inside R. The same images give the same bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/image/image_documents.h"
#include "storage/image/image_store.h"
#include "storage/image/manifest_list.h"

namespace knarr::storage {

enum class ArchiveFormat { docker_archive, oci_archive, oci_dir, docker_dir };
std::optional<ArchiveFormat> parse_archive_format(std::string_view name);  // "docker-archive", ...
bool is_directory_format(ArchiveFormat format);

struct ImageToSave {
  Image image;
  std::vector<std::string> names;  // full names it shall have in the archive; may be none
};

struct SaveOptions {
  ArchiveFormat format = ArchiveFormat::docker_archive;
  Compression compression = Compression::none;  // of layers; a docker-archive has plain ones always
  std::optional<int> level;
  ManifestKind kind = ManifestKind::docker;  // of a docker-dir
  std::int64_t mtime = 0;                    // of the files in a tar
  // An OCI layout that is there gets the images besides those it has, a directory of skopeo's is replaced;
  // otherwise nothing may be there.
  bool extend = false;
};

// To a file, a directory that is not there yet or empty, or "-": standard output. Layers are as they were
// loaded, byte for byte. All or nothing appears at `path`. Returns the digests of the manifests, none for a
// docker-archive. Throws Unsupported when a format cannot hold that many images.
std::vector<Digest> save_archive(const Store& store, const std::vector<ImageToSave>& images,
                                 const SaveOptions& options, const std::string& path);

// An image of a list that is elsewhere.
struct FetchedImage {
  Digest digest;
  std::string manifest;                                    // verified
  std::function<ByteSource(const Descriptor&)> open_blob;  // as it comes
};
using FetchImage = std::function<FetchedImage(const ListEntry&)>;

// A manifest list with its images, as one name of an OCI layout or oci-archive (`name` may be empty), or as a
// docker-dir. What is not in the store is copied as it is from where `fetch` finds it. Returns the digest of
// the index. Throws NotFound for an image that is nowhere, Unsupported for a docker-archive.
Digest save_list(const Store& store, const ManifestList& list, const std::string& name,
                 const SaveOptions& options, const std::string& path, const FetchImage& fetch);

}  // namespace knarr::storage
