// SPDX-License-Identifier: Apache-2.0
// The flags of the program itself; every verb takes them too.
#pragma once

#include <array>

#include "cli/flags.h"

namespace knarr::cli {

inline constexpr auto global_flags = std::to_array<Flag>({
    text_flag("cgroup-manager", 0, "MANAGER", "How control groups are made")
        .one_of("cgroupfs systemd")
        .not_yet("cgroupfs"),
    array_flag("cdi-spec-dir", 0, "DIR", "Directory of CDI device descriptions").not_yet(),
    text_flag("config", 0, "DIR", "Directory of the authentication files").not_yet(),
    text_flag("connection", 'c', "NAME", "Connection to a remote service").not_yet().unlisted(),
    text_flag("conmon", 0, "PATH", "The monitor program").not_yet().unlisted(),
    text_flag("context", 0, "NAME", "Connection to a remote service").not_yet("default").unlisted(),
    toggle("debug", 'D', "Same as --log-level=debug").unlisted(),
    text_flag("events-backend", 0, "BACKEND", "Where events are recorded").one_of("none").not_yet("none"),
    array_flag("hooks-dir", 0, "DIR", "Directory of OCI hooks").not_yet(),
    text_flag("host", 'H', "URL", "Service to talk to").not_yet().unlisted(),
    text_flag("identity", 0, "FILE", "SSH identity for a remote service").not_yet().unlisted(),
    text_flag("imagestore", 0, "DIR", "Directory of the images").not_yet(),
    text_flag("log-level", 0, "LEVEL",
              "Show messages of this level and above: trace, debug, info, warn, error, ...")
        .with_default("warn")
        .one_of("trace debug info warn error fatal panic"),
    array_flag("module", 0, "FILE", "A containers.conf module").not_yet(),
    text_flag("network-cmd-path", 0, "FILE", "Program of a rootless network's way out").not_yet().unlisted(),
    text_flag("network-config-dir", 0, "DIR", "Directory of the networks' files")
        .completed_by(Completion::directories),
    toggle("noout", 0, "Print nothing to standard output").not_yet(),
    text_flag("out", 0, "FILE", "Send standard output to a file").not_yet(),
    toggle("remote", 'r', "Talk to a remote service").not_yet().unlisted(),
    text_flag("root", 0, "DIR", "Store of images, containers and volumes")
        .completed_by(Completion::directories),
    text_flag("runroot", 0, "DIR", "Place of the files of running containers")
        .completed_by(Completion::directories),
    text_flag("runtime", 0, "FILE", "OCI runtime to use").not_yet(),
    array_flag("runtime-flag", 0, "FLAG", "Flag for the OCI runtime").not_yet(),
    text_flag("ssh", 0, "MODE", "How to speak SSH").not_yet().unlisted(),
    text_flag("storage-driver", 0, "DRIVER", "How root file systems are made: overlay, fuse-overlayfs or vfs")
        .one_of("overlay fuse-overlayfs vfs"),
    array_flag("storage-opt", 0, "OPTION", "additionalimagestore=DIR: read images from this store, too"),
    toggle("syslog", 0, "Send messages to syslog too").not_yet(),
    text_flag("tmpdir", 0, "DIR", "Directory of temporary files").not_yet(),
    toggle("transient-store", 0, "Forget containers at the next boot").not_yet(),
    text_flag("url", 0, "URL", "Service to talk to").not_yet().unlisted(),
    text_flag("volumepath", 0, "DIR", "Directory of the volumes").not_yet(),
});
static_assert(is_well_formed(global_flags));

// Only before the command.
inline constexpr auto root_flags = std::to_array<Flag>({
    toggle("help", 0, "Show this text"),
    toggle("version", 'v', "Show the version"),
});
static_assert(is_well_formed(root_flags));

}  // namespace knarr::cli
