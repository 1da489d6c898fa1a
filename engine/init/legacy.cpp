// SPDX-License-Identifier: Apache-2.0
#include "engine/init/legacy.h"

#include <sys/statvfs.h>

#include <cstring>

namespace knarr::engine::init {
namespace {

// The option string of mount(2). The kernel takes one page and cuts off the rest without a word.
class OptionString {
 public:
  const char* text() const { return length_ == 0 ? nullptr : text_; }
  bool fits() const { return fits_; }

  void add(const char* key, const char* value) {
    begin(key);
    if (value != nullptr) append_value(value, false);
  }
  void begin(const char* key) {
    if (length_ > 0) put(',');
    while (*key != '\0') put(*key++);
    expects_value_ = true;
  }
  // A comma ends an option and a colon ends a layer, unless a backslash is in front.
  void append_value(const char* value, bool is_list_member) {
    put(expects_value_ ? '=' : ':');
    expects_value_ = false;
    for (; *value != '\0'; ++value) {
      if (escapes_ && (*value == ',' || *value == '\\' || (is_list_member && *value == ':'))) put('\\');
      put(*value);
    }
  }
  void escape_values() { escapes_ = true; }

 private:
  void put(char character) {
    if (length_ + 1 >= sizeof text_) {
      fits_ = false;
      return;
    }
    text_[length_++] = character;
    text_[length_] = '\0';
  }

  char text_[4096] = {};
  std::size_t length_ = 0;
  bool fits_ = true;
  bool expects_value_ = false;
  bool escapes_ = false;
};

struct FlagPair {
  std::uint64_t attribute;
  unsigned long mount_flag;
  unsigned long statvfs_flag;
};
constexpr FlagPair flag_pairs[] = {
    {MOUNT_ATTR_RDONLY, MS_RDONLY, ST_RDONLY},
    {MOUNT_ATTR_NOSUID, MS_NOSUID, ST_NOSUID},
    {MOUNT_ATTR_NODEV, MS_NODEV, ST_NODEV},
    {MOUNT_ATTR_NOEXEC, MS_NOEXEC, ST_NOEXEC},
    {MOUNT_ATTR_NODIRATIME, MS_NODIRATIME, ST_NODIRATIME},
    {MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW, 0x2000 /* ST_NOSYMFOLLOW */},
};

unsigned long access_time_flag(std::uint64_t attributes) {
  switch (attributes & MOUNT_ATTR__ATIME) {
    case MOUNT_ATTR_NOATIME:
      return MS_NOATIME;
    case MOUNT_ATTR_STRICTATIME:
      return MS_STRICTATIME;
    default:
      return MS_RELATIME;
  }
}

unsigned long mount_flags(std::uint64_t attributes) {
  unsigned long flags = access_time_flag(attributes);
  for (const FlagPair& pair : flag_pairs) {
    if ((attributes & pair.attribute) != 0) flags |= pair.mount_flag;
  }
  return flags;
}

// A remount names all flags anew; in a user namespace those that came with the mount are locked.
unsigned long flags_after(const struct statvfs& facts, const MountChange& change) {
  unsigned long flags = 0;
  for (const FlagPair& pair : flag_pairs) {
    const bool was = (facts.f_flag & pair.statvfs_flag) != 0 && (change.clear & pair.attribute) == 0;
    if (was || (change.set & pair.attribute) != 0) flags |= pair.mount_flag;
  }
  if (((change.set | change.clear) & MOUNT_ATTR__ATIME) != 0) return flags | access_time_flag(change.set);
  if ((facts.f_flag & ST_NOATIME) != 0) return flags | MS_NOATIME;
  if ((facts.f_flag & ST_RELATIME) != 0) return flags | MS_RELATIME;
  return flags | MS_STRICTATIME;
}

bool is_layer_list(const char* key) {
  return std::strcmp(key, "lowerdir+") == 0;
}
bool is_layer_path(const char* key) {
  return is_layer_list(key) || std::strcmp(key, "upperdir") == 0 || std::strcmp(key, "workdir") == 0;
}

// `by_descriptor`: layers are opened and named /proc/self/fd/N; the descriptors close with the exec.
bool write_overlay_options(OptionString& text, Span<MountOption> options, bool by_descriptor) {
  text.escape_values();
  bool in_list = false;
  for (const MountOption& option : options) {
    const bool continues = in_list && is_layer_list(option.key);
    in_list = is_layer_list(option.key);
    if (!continues) text.begin(in_list ? "lowerdir" : option.key);
    if (option.value == nullptr) continue;
    if (by_descriptor && is_layer_path(option.key)) {
      const int layer = ::open(option.value, O_PATH | O_DIRECTORY | O_CLOEXEC);
      if (layer < 0) return false;
      text.append_value(FdPath(layer).text, in_list);
    } else {
      text.append_value(option.value, in_list);
    }
  }
  return text.fits() || failed(E2BIG);
}

}  // namespace

bool legacy_mount_filesystem(const char* fstype, const char* source, Span<MountOption> options,
                             std::uint64_t attributes, int target_fd) {
  OptionString text;
  for (const MountOption& option : options) text.add(option.key, option.value);
  if (!text.fits()) return failed(E2BIG);
  const char* name = source == nullptr ? fstype : source;
  return ::mount(name, FdPath(target_fd).text, fstype, mount_flags(attributes), text.text()) == 0;
}

bool legacy_bind(int source_fd, int target_fd, bool recursive) {
  const unsigned long flags = recursive ? MS_BIND | MS_REC : MS_BIND;
  return ::mount(FdPath(source_fd).text, FdPath(target_fd).text, nullptr, flags, nullptr) == 0;
}

bool legacy_change_mount(int mount_fd, const MountChange& change) {
  const FdPath path(mount_fd);
  if (change.set != 0 || change.clear != 0) {
    struct statvfs facts;
    if (::fstatvfs(mount_fd, &facts) < 0) return false;
    const unsigned long flags = MS_REMOUNT | MS_BIND | flags_after(facts, change);
    if (::mount(nullptr, path.text, nullptr, flags, nullptr) < 0) return false;
  }
  if (change.propagation == 0) return true;
  return ::mount(nullptr, path.text, nullptr, change.propagation, nullptr) == 0;
}

bool legacy_mount_overlay(Span<MountOption> options, int target_fd) {
  const FdPath target(target_fd);
  OptionString by_path;
  if (write_overlay_options(by_path, options, false))
    return ::mount("overlay", target.text, "overlay", 0, by_path.text()) == 0;
  OptionString by_descriptor;
  return write_overlay_options(by_descriptor, options, true) &&
         ::mount("overlay", target.text, "overlay", 0, by_descriptor.text()) == 0;
}

}  // namespace knarr::engine::init
