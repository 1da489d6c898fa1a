// SPDX-License-Identifier: Apache-2.0
// All readers of JSON that others wrote, and of our own image record: the first byte chooses one.
#include <cstdint>
#include <string_view>

#include "rootless/sys/error.h"
#include "storage/image/image_config_json.h"
#include "tests/fuzz/check.h"

using namespace knarr;
using namespace knarr::storage;

namespace {

void check_manifest(std::string_view json) {
  const Manifest manifest = parse_manifest(json);
  const std::string rendered = render_manifest(manifest);
  const Manifest again = parse_manifest(rendered);
  FUZZ_CHECK(again.layers.size() == manifest.layers.size() && again.config.digest == manifest.config.digest);
  FUZZ_CHECK(render_manifest(again) == rendered);
}

void check_config(std::string_view json) {
  const Digest digest{"sha256", std::string(64, 'a')};
  const Image image = parse_image_config(json, digest);
  const std::string rendered = render_image_config(image);
  FUZZ_CHECK(render_image_config(parse_image_config(rendered, digest)) == rendered);
}

void check_record(std::string_view json) {
  const Image image = parse_image_record(json);
  const std::string rendered = render_image_record(image);
  FUZZ_CHECK(render_image_record(parse_image_record(rendered)) == rendered);
}

void check(char which, std::string_view json) {
  switch (which) {
    case 'm':
      return check_manifest(json);
    case 'c':
      return check_config(json);
    case 'r':
      return check_record(json);
    case 'i':
      parse_index(json);
      return;
    case 'a':
      parse_archive_manifest(json);
      return;
    default:
      return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  try {
    check(static_cast<char>(data[0]), {reinterpret_cast<const char*>(data) + 1, size - 1});
  } catch (const InvalidArgument&) {
  } catch (const Unsupported&) {
    // A record of a newer version; every other error ends the program.
  }
  return 0;
}
