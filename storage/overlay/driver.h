// SPDX-License-Identifier: Apache-2.0
// How a root file system is put together from layers: by the kernel's overlay, by fuse-overlayfs, or by
// copies.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/store.h"

namespace knarr::storage {

enum class OverlayDriver { kernel, fuse, vfs };

struct OverlayFacts {
  OverlayDriver driver = OverlayDriver::kernel;
  bool userxattr = true;      // markers of layers are user.overlay.* xattrs, wherever they are mounted
  bool append_layers = true;  // fsconfig(2) knows "lowerdir+" (Linux 6.7); else one joined "lowerdir"
  // Data-only layers work with userxattr (Linux 6.16): clones of images can be mounted (clone.h).
  bool data_layers = false;
  std::string fuse_program;    // absolute path, for `fuse`
  std::string why_not_kernel;  // the reason, in words, when the driver is another one
};

// `wanted`: "" (choose), "overlay", "fuse-overlayfs", "vfs" (--storage-driver). Tries a real mount in a
// throw-away namespace once per store and boot and remembers the answer in run_root. Must be called by a
// process with one thread. Throws Unsupported with the reason when the wanted driver does not work here,
// InvalidArgument for an unknown one.
OverlayFacts choose_overlay_driver(const Store& store, const std::string& run_root,
                                   const std::string& wanted);
// The remembered answer only; nullopt when nobody probed this store's file system under this kernel yet. What
// `run` asks first.
std::optional<OverlayFacts> read_overlay_facts(const Store& store, const std::string& run_root,
                                               const std::string& wanted);

std::string_view driver_name(OverlayDriver driver);  // as `info` shows it: "overlay", "fuse-overlayfs", "vfs"

// What has to be mounted at a container's root. Pure data: init replays it.
struct RootfsPlan {
  OverlayDriver driver = OverlayDriver::kernel;
  std::vector<std::string> lowers;       // absolute, topmost first, as the kernel wants them
  std::vector<std::string> data_lowers;  // data-only layers below a clone, as clone_layers() had them
  std::string upper;                     // empty: read-only
  std::string work;
  bool userxattr = true;
  bool is_volatile = false;  // no syncing: for containers that do not survive anyway
  std::string directory;     // vfs and --rootfs: the tree itself
  std::string fuse_program;  // driver fuse: absolute path
};

}  // namespace knarr::storage
