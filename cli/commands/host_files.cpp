// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/host_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <climits>

#include "cli/text.h"
#include "rootless/sys/file.h"
#include "rootless/sys/program.h"

namespace knarr::cli {

namespace {

constexpr std::size_t max_text_file = 1 << 20;
constexpr std::size_t max_id_file = 4096;

std::string read_file(const std::string& path, std::size_t max_bytes) {
  const sys::UniqueFd file = sys::open_at(AT_FDCWD, path, O_RDONLY);
  return sys::read_all(file.get(), path, max_bytes);
}

}  // namespace

std::vector<std::string> host_environment() {
  return sys::own_environment();
}

std::string current_directory() {
  char path[PATH_MAX];
  return ::getcwd(path, sizeof path) != nullptr ? path : "/";
}

std::vector<engine::TextFile> read_text_files(const std::vector<std::string>& paths) {
  std::vector<engine::TextFile> files;
  for (const std::string& path : paths) files.push_back({path, read_file(path, max_text_file)});
  return files;
}

std::string read_id_file(const std::string& path) {
  return std::string(trim(read_file(path, max_id_file)));
}

}  // namespace knarr::cli
