// SPDX-License-Identifier: Apache-2.0
// Images from files: docker-archive (.tar of docker save, podman save, skopeo), oci-archive (.tar of an OCI
// layout), an OCI layout directory, a plain root file system tar. Run inside R.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "storage/image/image_store.h"
#include "storage/image/platform.h"
#include "storage/layer/layer.h"
#include "storage/transport.h"

namespace knarr::storage {

struct LoadedImage {
  Image image;
  std::vector<std::string> names;  // full names it got; empty: only its id
};

// Throws when images of this format and place may not be taken in.
using Admission = std::function<void(Transport)>;
// `path`: a file, a directory, or "-" for standard input (spooled to a temporary file in staging/). The
// format is told by the content; outer compression is undone. Every image in the archive is loaded. `admit`
// is asked before anything of an image is looked into.
std::vector<LoadedImage> load_archive(const Store& store, const std::string& path,
                                      Settling settling = Settling::in_background,
                                      const Admission& admit = {});

// The image that a name with a transport means (oci, oci-archive, docker-archive, dir); of a docker-archive
// without a name behind it all of its images. `platform`: which of several that have one name.
std::vector<LoadedImage> load_transport(const Store& store, const TransportName& name,
                                        const Platform& platform,
                                        Settling settling = Settling::in_background);

struct ImportOptions {
  std::string name;    // reference, may be empty
  std::string origin;  // where the tar comes from, for people; empty: from its path
  std::vector<std::string>
      changes;  // Dockerfile instructions: CMD ENTRYPOINT ENV EXPOSE LABEL STOPSIGNAL USER VOLUME WORKDIR
  std::string message;
  std::string architecture, os, variant;
  Settling settling = Settling::in_background;
};
Image import_tree(const Store& store, const std::string& tar_path, const ImportOptions& options);

}  // namespace knarr::storage
