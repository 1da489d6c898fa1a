// SPDX-License-Identifier: Apache-2.0
// certs.d (containers-certs.d(5)).
#include <algorithm>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/registry/credentials.h"

namespace knarr::storage {
namespace {

std::optional<std::string> find_directory(const ConfigPlaces& places, const std::string& host) {
  for (const std::string& parent :
       {places.config_home + "/containers/certs.d", places.system + "/certs.d", places.docker + "/certs.d"}) {
    std::string directory = concat(parent, '/', host);
    if (sys::stat_at(AT_FDCWD, directory)) return directory;
  }
  return std::nullopt;
}

std::string without_extension(const std::string& name) {
  return name.substr(0, name.rfind('.'));
}

class Directory {
 public:
  explicit Directory(const std::string& path) : path_(path), names_(sys::list_directory(AT_FDCWD, path)) {
    std::sort(names_.begin(), names_.end());
  }

  Certificates read() const {
    Certificates found;
    for (const std::string& name : names_) {
      if (name.ends_with(".crt")) found.authorities.push_back(path_of(name));
      if (name.ends_with(".cert")) {
        require_partner(name, ".key", "key");
        // One pair can be shown; the first by name.
        if (!found.client_certificate.empty()) continue;
        found.client_certificate = path_of(name);
        found.client_key = path_of(without_extension(name) + ".key");
      }
      if (name.ends_with(".key")) require_partner(name, ".cert", "certificate");
    }
    return found;
  }

 private:
  std::string path_of(const std::string& name) const { return concat(path_, '/', name); }

  void require_partner(const std::string& name, const std::string& extension, std::string_view what) const {
    const std::string partner = without_extension(name) + extension;
    if (std::binary_search(names_.begin(), names_.end(), partner)) return;
    throw InvalidArgument(concat("missing ", what, ' ', partner, " for ", path_of(name)));
  }

  std::string path_;
  std::vector<std::string> names_;
};

}  // namespace

Certificates find_certificates(const ConfigPlaces& places, const std::string& directory,
                               const std::string& host) {
  if (!directory.empty()) {
    if (!sys::stat_at(AT_FDCWD, directory))
      throw NotFound(concat("no directory of certificates ", directory));
    return Directory(directory).read();
  }
  const std::optional<std::string> found = find_directory(places, host);
  return found ? Directory(*found).read() : Certificates{};
}

}  // namespace knarr::storage
