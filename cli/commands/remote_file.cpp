// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/remote_file.h"

#include <unistd.h>

#include "engine/helpers.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

bool is_url(const std::string& text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

RemoteFile::RemoteFile(const storage::Store& store)
    : staging_(store.make_staging("fetched")),
      directory_(store.path(staging_.path)),
      path_(directory_ + "/file") {}

std::unique_ptr<RemoteFile> RemoteFile::fetch(const engine::Engine& engine, const std::string& url) {
  auto file = std::make_unique<RemoteFile>(engine.store());
  const sys::ExitStatus status = engine::run_helper("knarr-registry", {"knarr", "__fetch", url, file->path_});
  return status.code == 0 ? std::move(file) : nullptr;
}

RemoteFile::~RemoteFile() {
  ::unlink(path_.c_str());
  ::rmdir(directory_.c_str());
}

}  // namespace knarr::cli
