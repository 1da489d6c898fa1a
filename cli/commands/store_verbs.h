// SPDX-License-Identifier: Apache-2.0
// The verbs of knarr-store as data: knarr shows their help and completes them too, but has no code of theirs.
#pragma once

#include "cli/verb.h"

namespace knarr::cli {

inline constexpr auto load_flags = std::to_array<Flag>({
    text_flag("input", 'i', "FILE", "Read an archive or a directory instead of standard input")
        .completed_by(Completion::files),
    toggle("quiet", 'q', "Print nothing but the names of the images").also("silent"),
    text_flag("signature-policy", 0, "FILE", "Policy to check the image against").not_yet().unlisted(),
});
static_assert(is_well_formed(load_flags));

inline constexpr Verb load_description = {
    .paths = {"load", "image load"},
    .usage = "[options]",
    .summary = "Load images from an archive",
    .description =
        "The archive may be one of docker save, podman save or skopeo, or an OCI layout, compressed or not.",
    .examples = "load -i image.tar\nload < image.tar.zst",
    .flags = load_flags,
    .max_arguments = 0,
    .topic = Topic::images,
};

inline constexpr auto import_flags = std::to_array<Flag>({
    text_flag("arch", 0, "ARCH", "Architecture of the image"),
    array_flag("change", 'c', "INSTRUCTION", "Apply CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, ..."),
    text_flag("message", 'm', "TEXT", "Comment of the image"),
    text_flag("os", 0, "OS", "Operating system of the image"),
    toggle("quiet", 'q', "Print nothing but the ID of the image"),
    text_flag("signature-policy", 0, "FILE", "Policy to check the image against").not_yet().unlisted(),
    text_flag("variant", 0, "VARIANT", "Variant of the architecture"),
});
static_assert(is_well_formed(import_flags));

inline constexpr Verb import_description = {
    .paths = {"import", "image import"},
    .usage = "[options] PATH [REFERENCE]",
    .summary = "Make an image from a tar of a root file system",
    .description = "PATH is a tar file, compressed or not, or - for standard input.",
    .examples = "import rootfs.tar.gz base:1\nimport -c 'CMD [\"sh\"]' - base:2 < rootfs.tar",
    .flags = import_flags,
    .min_arguments = 1,
    .max_arguments = 2,
    .topic = Topic::images,
    .completion = Completion::files,
};

}  // namespace knarr::cli
