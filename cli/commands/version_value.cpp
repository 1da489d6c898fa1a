// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/version_value.h"

#include <sys/utsname.h>

namespace knarr::cli {

std::string machine_architecture() {
  utsname names{};
  ::uname(&names);
  const std::string_view machine = names.machine;
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  if (machine == "i686" || machine == "i386") return "386";
  if (machine.starts_with("arm")) return "arm";
  return std::string(machine);
}

templates::Value version_value() {
  // The members podman has, for the scripts that read them; nothing here is written in Go.
  return templates::Value::structure("Client")
      .set("APIVersion", KNARR_VERSION)
      .set("Version", KNARR_VERSION)
      .set("GoVersion", "")
      .set("GitCommit", "")
      .set("BuiltTime", "")
      .set("Built", 0)
      .set("OsArch", "linux/" + machine_architecture())
      .set("Os", "linux");
}

}  // namespace knarr::cli
