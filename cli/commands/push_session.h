// SPDX-License-Identifier: Apache-2.0
// One push by the flags of `push` and `manifest push`: access, options, progress, the digest file.
#pragma once

#include "cli/commands/copy_progress.h"
#include "cli/flags.h"
#include "engine/engine.h"
#include "storage/image/manifest_list.h"
#include "storage/registry/push.h"
#include "storage/transport.h"

namespace knarr::cli {

class PushSession {
 public:
  // The arguments are a source and perhaps a destination. Throws UsageError, InvalidArgument.
  PushSession(const engine::Engine& engine, const Arguments& arguments);

  // One of these, once: they enter R.
  void push(const storage::Image& image);
  void push(const storage::ManifestList& list, bool with_images);

 private:
  std::optional<storage::TransportName> named_transport() const;  // when it is no registry's
  storage::Reference destination(const std::string& own_name) const;
  void write_files(const storage::Image& image, const storage::TransportName& place);
  void write_files(const storage::ManifestList& list, const storage::TransportName& place);
  void finish(const storage::Digest& digest);

  const engine::Engine& engine_;
  const Arguments& arguments_;
  storage::RegistryAccess access_;
  storage::RegistriesConfig config_;
  storage::PushOptions options_;
  Output messages_;
  CopyProgress progress_;
};

}  // namespace knarr::cli
