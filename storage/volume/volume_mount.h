// SPDX-License-Identifier: Apache-2.0
// What the options of a volume (`volume create -o type=,device=,o=`) mean. Pure.
#pragma once

#include <string>
#include <vector>

#include "storage/volume/volume_store.h"

namespace knarr::storage {

struct VolumeMount {
  enum class Kind { directory, bind, tmpfs };
  Kind kind = Kind::directory;
  std::string source;              // of directory and bind: the absolute path
  bool recursive = true;           // bind
  std::vector<std::string> words;  // of mount(8), without "bind"
};

// Throws InvalidArgument for options that contradict each other or are none, Unsupported for a type that an
// ordinary user cannot mount.
VolumeMount parse_volume_options(const Volume& volume);

}  // namespace knarr::storage
