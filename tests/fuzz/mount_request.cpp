// SPDX-License-Identifier: Apache-2.0
// --volume, --mount, --tmpfs, --device: whatever is accepted names an absolute, clean place in the container
// that is not its root, and a source that cannot be taken for another one. The first byte picks the flag.
#include <cstdint>
#include <string_view>

#include "engine/request/mounts.h"
#include "engine/request/values.h"
#include "rootless/sys/error.h"
#include "tests/fuzz/check.h"

using namespace knarr;
using namespace knarr::engine;

namespace {

bool is_clean_absolute(const std::string& path) {
  return path.starts_with('/') && clean_path(path) == path && path.find('\0') == std::string::npos;
}

void check(const MountRequest& mount) {
  using Type = MountRequest::Type;
  FUZZ_CHECK(is_clean_absolute(mount.destination) && mount.destination != "/");
  if (mount.type == Type::bind)
    FUZZ_CHECK(mount.source.starts_with('/') && clean_path(mount.source) == mount.source);
  if (mount.type == Type::volume) FUZZ_CHECK(mount.source.empty() || is_object_name(mount.source));
  FUZZ_CHECK(!mount.anonymous && mount.source.find('\0') == std::string::npos);
  FUZZ_CHECK(!mount.subpath.starts_with('/') && mount.subpath != ".." && !mount.subpath.starts_with("../"));
  FUZZ_CHECK(mount.subpath.find("/../") == std::string::npos && !mount.subpath.ends_with("/.."));
}

void parse(std::uint8_t flag, std::string_view text) {
  CreateRequest request;
  request.current_directory = "/home/me";
  switch (flag % 5) {
    case 0:
      return check(parse_volume(request, text));
    case 1:
      return check(parse_mount(request, text));
    case 2:
      return check(parse_tmpfs(text));
    case 3: {
      const DeviceRequest device = parse_device(text);
      FUZZ_CHECK(device.source.starts_with('/') && is_clean_absolute(device.destination));
      return;
    }
    default:
      FUZZ_CHECK(!parse_volumes_from(text).container.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  try {
    parse(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
  } catch (const Error&) {
    // Refusing is fine; crashing is not.
  }
  return 0;
}
