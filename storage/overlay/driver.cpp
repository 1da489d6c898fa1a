// SPDX-License-Identifier: Apache-2.0
#include "storage/overlay/driver.h"

#include <sys/utsname.h>

#include <algorithm>

#include "rootless/sys/error.h"
#include "storage/overlay/probe.h"

namespace knarr::storage {
namespace {

std::optional<OverlayDriver> parse_driver(std::string_view name) {
  for (const OverlayDriver driver : {OverlayDriver::kernel, OverlayDriver::fuse, OverlayDriver::vfs}) {
    if (name == driver_name(driver)) return driver;
  }
  return std::nullopt;
}

OverlayDriver require_driver(const std::string& wanted) {
  if (const auto driver = parse_driver(wanted)) return *driver;
  throw InvalidArgument(
      concat("unknown storage driver \"", wanted, "\": use overlay, fuse-overlayfs or vfs"));
}

[[noreturn]] void throw_unusable(OverlayDriver driver, const std::string& why, std::string hint) {
  Unsupported error(concat("the storage driver ", driver_name(driver), " does not work here: ", why));
  error.set_hint(std::move(hint));
  throw error;
}

// ---- the remembered answer ----

// What the answer holds for: this file system and this kernel. (run_root does not outlive a boot where it is
// on a tmpfs, but it may be elsewhere.)
std::string probe_key(const Store& store) {
  struct stat root;
  struct utsname kernel;
  if (::fstat(store.fd(), &root) < 0) throw_errno("looking at ", store.root());
  if (::uname(&kernel) < 0) throw_errno("asking for the kernel's name");
  return concat(root.st_dev, ' ', kernel.release);
}

std::string cache_path(const std::string& run_root, const std::string& wanted) {
  return concat(run_root, "/overlay-", wanted.empty() ? "auto" : wanted);
}

// "name value" lines; the key comes first.
std::string render_cache(const std::string& key, const OverlayFacts& facts) {
  std::string why = facts.why_not_kernel;
  std::replace(why.begin(), why.end(), '\n', ' ');
  return concat("key ", key, "\ndriver ", driver_name(facts.driver), "\nappend ",
                facts.append_layers ? "1" : "0", "\ndata ", facts.data_layers ? "1" : "0", "\nprogram ",
                facts.fuse_program, "\nwhy ", why, '\n');
}

// The value of the next line, which must have this name.
std::optional<std::string> take_line(std::string_view& text, std::string_view name) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos || !text.starts_with(name) || text[name.size()] != ' ')
    return std::nullopt;
  std::string value(text.substr(name.size() + 1, end - name.size() - 1));
  text.remove_prefix(end + 1);
  return value;
}

std::optional<OverlayFacts> parse_cache(std::string_view text, const std::string& key) {
  if (take_line(text, "key") != key) return std::nullopt;
  const auto driver = take_line(text, "driver");
  const auto append = take_line(text, "append");
  const auto data = take_line(text, "data");
  auto program = take_line(text, "program");
  auto why = take_line(text, "why");
  if (!driver || !append || !data || !program || !why || !parse_driver(*driver)) return std::nullopt;
  OverlayFacts facts;
  facts.driver = *parse_driver(*driver);
  facts.append_layers = *append == "1";
  facts.data_layers = *data == "1";
  facts.fuse_program = *std::move(program);
  facts.why_not_kernel = *std::move(why);
  return facts;
}

void remember(const Store& store, const std::string& run_root, const std::string& wanted,
              const OverlayFacts& facts) {
  try {
    sys::replace_file(AT_FDCWD, cache_path(run_root, wanted), render_cache(probe_key(store), facts), 0600,
                      sys::Durability::none);
  } catch (const Error&) {
    // Then the next command probes again.
  }
}

// ---- choosing ----

OverlayFacts use_kernel(const KernelProbe& probe) {
  OverlayFacts facts;
  facts.append_layers = probe.append_layers;
  facts.data_layers = probe.data_layers;
  return facts;
}

OverlayFacts use_fuse(const FuseProbe& probe, std::string why_not_kernel) {
  OverlayFacts facts;
  facts.driver = OverlayDriver::fuse;
  facts.fuse_program = probe.program;
  facts.why_not_kernel = std::move(why_not_kernel);
  return facts;
}

OverlayFacts use_vfs(std::string why_not_kernel) {
  OverlayFacts facts;
  facts.driver = OverlayDriver::vfs;
  facts.why_not_kernel = std::move(why_not_kernel);
  return facts;
}

OverlayFacts choose_best(const Store& store) {
  const KernelProbe kernel = probe_kernel_overlay(store);
  if (kernel.failure.empty()) return use_kernel(kernel);
  const FuseProbe fuse = probe_fuse_overlay(store);
  if (fuse.failure.empty()) return use_fuse(fuse, kernel.failure);
  return use_vfs(concat(kernel.failure, "; ", fuse.failure));
}

OverlayFacts choose_wanted(const Store& store, OverlayDriver wanted) {
  const std::string asked_for = concat("the driver ", driver_name(wanted), " was asked for");
  if (wanted == OverlayDriver::vfs) return use_vfs(asked_for);
  if (wanted == OverlayDriver::kernel) {
    const KernelProbe kernel = probe_kernel_overlay(store);
    if (kernel.failure.empty()) return use_kernel(kernel);
    throw_unusable(wanted, kernel.failure, "use --storage-driver fuse-overlayfs or vfs");
  }
  const FuseProbe fuse = probe_fuse_overlay(store);
  if (fuse.failure.empty()) return use_fuse(fuse, asked_for);
  throw_unusable(wanted, fuse.failure, "use --storage-driver overlay or vfs");
}

}  // namespace

std::string_view driver_name(OverlayDriver driver) {
  switch (driver) {
    case OverlayDriver::kernel:
      return "overlay";
    case OverlayDriver::fuse:
      return "fuse-overlayfs";
    case OverlayDriver::vfs:
      break;
  }
  return "vfs";
}

OverlayFacts choose_overlay_driver(const Store& store, const std::string& run_root,
                                   const std::string& wanted) {
  const OverlayFacts facts =
      wanted.empty() ? choose_best(store) : choose_wanted(store, require_driver(wanted));
  remember(store, run_root, wanted, facts);
  return facts;
}

std::optional<OverlayFacts> read_overlay_facts(const Store& store, const std::string& run_root,
                                               const std::string& wanted) {
  if (!wanted.empty()) require_driver(wanted);
  const auto text = sys::read_file_if_exists(AT_FDCWD, cache_path(run_root, wanted), 65536);
  return text ? parse_cache(*text, probe_key(store)) : std::nullopt;
}

}  // namespace knarr::storage
