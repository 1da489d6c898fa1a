// SPDX-License-Identifier: Apache-2.0
#include "rootless/capability.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::rootless {
namespace {

// By number, without "CAP_" (linux/capability.h).
constexpr std::array<std::string_view, last_known_capability + 1> names = {"CHOWN",
                                                                           "DAC_OVERRIDE",
                                                                           "DAC_READ_SEARCH",
                                                                           "FOWNER",
                                                                           "FSETID",
                                                                           "KILL",
                                                                           "SETGID",
                                                                           "SETUID",
                                                                           "SETPCAP",
                                                                           "LINUX_IMMUTABLE",
                                                                           "NET_BIND_SERVICE",
                                                                           "NET_BROADCAST",
                                                                           "NET_ADMIN",
                                                                           "NET_RAW",
                                                                           "IPC_LOCK",
                                                                           "IPC_OWNER",
                                                                           "SYS_MODULE",
                                                                           "SYS_RAWIO",
                                                                           "SYS_CHROOT",
                                                                           "SYS_PTRACE",
                                                                           "SYS_PACCT",
                                                                           "SYS_ADMIN",
                                                                           "SYS_BOOT",
                                                                           "SYS_NICE",
                                                                           "SYS_RESOURCE",
                                                                           "SYS_TIME",
                                                                           "SYS_TTY_CONFIG",
                                                                           "MKNOD",
                                                                           "LEASE",
                                                                           "AUDIT_WRITE",
                                                                           "AUDIT_CONTROL",
                                                                           "SETFCAP",
                                                                           "MAC_OVERRIDE",
                                                                           "MAC_ADMIN",
                                                                           "SYSLOG",
                                                                           "WAKE_ALARM",
                                                                           "BLOCK_SUSPEND",
                                                                           "AUDIT_READ",
                                                                           "PERFMON",
                                                                           "BPF",
                                                                           "CHECKPOINT_RESTORE"};

constexpr CapabilitySet set_up_to(int last) {
  return last >= 63 ? ~CapabilitySet{0} : capability_bit(last + 1) - 1;
}

// Not toupper(3), which follows the locale.
std::string upper_case(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

struct CapabilityList {
  CapabilitySet set = 0;
  bool all = false;  // "all" was among the names
};

CapabilityList parse_list(const std::vector<std::string>& list) {
  CapabilityList parsed;
  for (const std::string& name : list) {
    if (upper_case(name) == "ALL") {
      parsed.all = true;
    } else if (const std::optional<int> capability = parse_capability(name)) {
      parsed.set |= capability_bit(*capability);
    } else {
      throw InvalidArgument(concat("unknown capability \"", name, '"'));
    }
  }
  return parsed;
}

}  // namespace

std::optional<int> parse_capability(std::string_view name) {
  const std::string upper = upper_case(name);
  std::string_view bare = upper;
  if (bare.starts_with("CAP_")) bare.remove_prefix(4);
  const auto found = std::find(names.begin(), names.end(), bare);
  if (found == names.end()) return std::nullopt;
  return static_cast<int>(found - names.begin());
}

std::string capability_name(int capability) {
  // A newer kernel has capabilities without a name here; libcap prints their number as well.
  if (capability < 0 || capability > last_known_capability) return concat("CAP_", capability);
  return concat("CAP_", names[static_cast<std::size_t>(capability)]);
}

std::vector<std::string> capability_names(CapabilitySet set) {
  std::vector<std::string> found;
  for (int capability = 0; capability < 64; ++capability) {
    if (set & capability_bit(capability)) found.push_back(capability_name(capability));
  }
  return found;
}

CapabilitySet all_capabilities() {
  const auto text = sys::read_file_if_exists(AT_FDCWD, "/proc/sys/kernel/cap_last_cap");
  int last = last_known_capability;
  if (text) std::from_chars(text->data(), text->data() + text->size(), last);
  return set_up_to(std::clamp(last, 0, 63));
}

CapabilitySet default_capabilities() {
  CapabilitySet set = 0;
  for (const std::string_view name : {"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE",
                                      "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"}) {
    set |= capability_bit(*parse_capability(name));
  }
  return set;
}

CapabilitySet plan_capabilities(CapabilitySet base, const std::vector<std::string>& add,
                                const std::vector<std::string>& drop) {
  CapabilityList added = parse_list(add);
  const CapabilityList dropped = parse_list(drop);
  if (dropped.all) {
    if (added.all) throw InvalidArgument("all capabilities cannot be added and dropped at once");
    return added.set;
  }
  if (added.all) {
    base = all_capabilities();
    added.set = 0;
  }
  if (const CapabilitySet both = added.set & dropped.set) {
    throw InvalidArgument(
        concat("capability \"", capability_names(both).front(), "\" cannot be added and dropped at once"));
  }
  return (base & ~dropped.set) | added.set;
}

}  // namespace knarr::rootless
