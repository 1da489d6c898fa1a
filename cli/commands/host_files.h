// SPDX-License-Identifier: Apache-2.0
// What verbs read of the caller's surroundings.
#pragma once

#include <string>
#include <vector>

#include "engine/request.h"

namespace knarr::cli {

std::vector<std::string> host_environment();  // environ(7)
// Absolute; "/" when it was removed: that matters to relative paths only, whose errors will say it.
std::string current_directory();
// Whole, each at most 1 MiB. Throws SysError that names the file.
std::vector<engine::TextFile> read_text_files(const std::vector<std::string>& paths);
// Of --cidfile: without the blanks around it.
std::string read_id_file(const std::string& path);

}  // namespace knarr::cli
