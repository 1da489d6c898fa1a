// SPDX-License-Identifier: Apache-2.0
// Image references: [domain/]path[:tag][@digest].
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/digest.h"

namespace knarr::storage {

struct Reference {
  std::string domain;  // "docker.io", "localhost", "registry:5000"; empty for a short name
  std::string path;    // "library/debian"
  std::string tag;     // empty when not given
  std::optional<Digest> digest;
  bool operator==(const Reference&) const = default;
};

// As the distribution grammar has it: the first component is a domain when it holds '.' or ':' or is
// "localhost". Throws InvalidArgument that names the reference and what is wrong with it.
Reference parse_reference(std::string_view text);
std::string render(const Reference& reference);

// The full name an image gets when a user names it so on tag, load, import, build: no domain → localhost/,
// "docker.io/x" → docker.io/library/x, no tag and no digest → :latest.
Reference normalize(const Reference& reference);

// The full name where docker's names are meant: no domain → docker.io/.
Reference parse_docker_name(std::string_view text);

// The full names a short name may stand for in the local store, best first: localhost/NAME,
// docker.io/library/NAME (or docker.io/NAME when NAME has a slash); a full name stands for itself.
std::vector<Reference> local_candidates(const Reference& reference);

// One path component for a name ("docker.io%2Flibrary%2Fdebian:latest") and back.
std::string escape_name(std::string_view name);
std::string unescape_name(std::string_view file_name);

}  // namespace knarr::storage
