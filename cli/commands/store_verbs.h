// SPDX-License-Identifier: Apache-2.0
// The verbs of knarr-store as data: knarr shows their help and completes them too, but has no code of theirs.
#pragma once

#include "cli/commands/sync_flag.h"
#include "cli/verb.h"

namespace knarr::cli {

inline constexpr auto load_flags = std::to_array<Flag>({
    text_flag("input", 'i', "FILE", "Read an archive, a directory or a URL instead of standard input")
        .completed_by(Completion::files),
    toggle("quiet", 'q', "Print nothing but the names of the images").also("silent"),
    text_flag("signature-policy", 0, "FILE", "Policy to check the image against")
        .completed_by(Completion::files)
        .unlisted(),
    sync_flag,
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

inline constexpr auto commit_flags = std::to_array<Flag>({
    text_flag("author", 'a', "TEXT", "Author of the image"),
    array_flag("change", 'c', "INSTRUCTION", "Apply CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, ..."),
    text_flag("config", 0, "FILE",
              "Merge this configuration, JSON with the members Env, Cmd, ..., into the image's")
        .completed_by(Completion::files),
    text_flag("format", 'f', "FORMAT", "oci or docker").with_default("oci").one_of("oci docker"),
    text_flag("iidfile", 0, "FILE", "Write the ID of the image to a file").completed_by(Completion::files),
    toggle("include-volumes", 0, "Declare what is mounted in the container as volumes of the image"),
    text_flag("message", 'm', "TEXT", "Comment of the image; in the format oci, of its last layer"),
    toggle("pause", 'p', "Hold the container's processes meanwhile"),
    toggle("quiet", 'q', "Print nothing but the ID of the image"),
    toggle("squash", 's', "Make one layer of the image's and the container's"),
});
static_assert(is_well_formed(commit_flags));

inline constexpr Verb commit_description = {
    .paths = {"commit", "container commit"},
    .usage = "[options] CONTAINER [IMAGE]",
    .summary = "Make an image from a container's changes",
    .description =
        "What the container has written becomes a layer over those of its image; what is in volumes does "
        "not.\n"
        "Command, environment, user and labels of the image are those of the container. With "
        "$SOURCE_DATE_EPOCH\n"
        "the image is dated by it and no file in the layer is younger, so equal changes make equal images.",
    .examples = "commit web my/app:2\ncommit -c 'CMD [\"nginx\"]' -c 'ENV MODE=fast' -p web my/app:3",
    .flags = commit_flags,
    .min_arguments = 1,
    .max_arguments = 2,
    .completion = Completion::containers,
};

inline constexpr auto export_flags = std::to_array<Flag>({
    text_flag("output", 'o', "FILE", "Write to a file instead of standard output")
        .completed_by(Completion::files),
});
static_assert(is_well_formed(export_flags));

inline constexpr Verb export_description = {
    .paths = {"export", "container export"},
    .usage = "[options] CONTAINER",
    .summary = "Write a container's files to a tar",
    .description =
        "All its image has and it has written, as one tree, running or not; what is in volumes is left out.",
    .examples = "export -o web.tar web\nexport web | knarr import - web:flat",
    .flags = export_flags,
    .min_arguments = 1,
    .max_arguments = 1,
    .completion = Completion::containers,
};

inline constexpr auto import_flags = std::to_array<Flag>({
    text_flag("arch", 0, "ARCH", "Architecture of the image"),
    array_flag("change", 'c', "INSTRUCTION", "Apply CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, ..."),
    text_flag("message", 'm', "TEXT", "Comment of the image"),
    text_flag("os", 0, "OS", "Operating system of the image"),
    toggle("quiet", 'q', "Print nothing but the ID of the image"),
    text_flag("signature-policy", 0, "FILE", "Policy to check the image against")
        .completed_by(Completion::files)
        .unlisted(),
    sync_flag,
    text_flag("variant", 0, "VARIANT", "Variant of the architecture"),
});
static_assert(is_well_formed(import_flags));

inline constexpr Verb import_description = {
    .paths = {"import", "image import"},
    .usage = "[options] PATH [REFERENCE]",
    .summary = "Make an image from a tar of a root file system",
    .description = "PATH is a tar file, compressed or not, its URL, or - for standard input.",
    .examples = "import rootfs.tar.gz base:1\nimport -c 'CMD [\"sh\"]' - base:2 < rootfs.tar",
    .flags = import_flags,
    .min_arguments = 1,
    .max_arguments = 2,
    .topic = Topic::images,
    .completion = Completion::files,
};

inline constexpr auto save_flags = std::to_array<Flag>({
    toggle("compress", 0, "Compress the layers in a directory (oci-dir, docker-dir)"),
    text_flag("format", 0, "FORMAT", "docker-archive, oci-archive, oci-dir or docker-dir")
        .with_default("docker-archive")
        .one_of("docker-archive oci-archive oci-dir docker-dir"),
    toggle("multi-image-archive", 'm', "Take all arguments for images, not for names of the first"),
    text_flag("output", 'o', "FILE", "Write to a file or directory instead of standard output")
        .completed_by(Completion::files),
    toggle("quiet", 'q', "Print no progress"),
    text_flag("signature-policy", 0, "FILE", "Policy to check the image against").not_yet().unlisted(),
    toggle("uncompressed", 0, "Leave the layers of OCI formats uncompressed"),
});
static_assert(is_well_formed(save_flags));

inline constexpr Verb save_description = {
    .paths = {"save", "image save"},
    .usage = "[options] IMAGE [NAME...]",
    .summary = "Save images to an archive",
    .description =
        "The layers are written as they came, byte for byte. The same image gives the same archive;\n"
        "its files are dated by $SOURCE_DATE_EPOCH, or 1970.",
    .examples = "save -o image.tar debian\nsave --format oci-archive -m debian busybox > both.tar",
    .flags = save_flags,
    .min_arguments = 1,
    .topic = Topic::images,
    .completion = Completion::images,
};

inline constexpr Verb verify_layers_description = {
    .paths = {"__verify-layers"},
    .usage = "DIGEST [DIGEST...]",
    .summary = "Compare layers of an earlier boot with what they were",
    .min_arguments = 1,
    .topic = Topic::engine,
    .hidden = true,
};

inline constexpr auto adopt_flags = std::to_array<Flag>({
    text_flag("from", 0, "DIR", "Store to take images from; by default where podman keeps its own")
        .completed_by(Completion::directories),
    toggle("quiet", 'q', "Print nothing but the IDs of the images"),
});
static_assert(is_well_formed(adopt_flags));

inline constexpr Verb adopt_description = {
    .paths = {"system adopt"},
    .usage = "[options] [IMAGE...]",
    .summary = "Take images over from podman's store",
    .description =
        "The images, or all there are, of a store of podman, buildah or skopeo become images here by hard "
        "links:\n"
        "nothing is pulled again, and neither time nor space is needed. The other store stays as it is, and "
        "either\n"
        "may remove its images without the other one noticing. Its driver must be overlay, its user you.",
    .examples = "system adopt\nsystem adopt --from /data/containers/storage debian:12",
    .flags = adopt_flags,
    .topic = Topic::engine,
};

inline constexpr auto system_check_flags = std::to_array<Flag>({
    toggle("force", 'f', "With --repair, remove containers that nothing else can help, too"),
    text_flag("max", 'm', "DURATION", "With --repair, keep layers of no image that are younger")
        .with_default("24h"),
    toggle("quick", 'q', "Do not read the content of the layers"),
    toggle("repair", 'r', "Take away what is damaged or left behind, and make again what can be"),
});
static_assert(is_well_formed(system_check_flags));

inline constexpr Verb system_check_description = {
    .paths = {"system check"},
    .usage = "[options]",
    .summary = "Check all that is in the store",
    .description =
        "Looks at every record, name, blob and layer and tells what is damaged and what to do. Images keep\n"
        "their records when a layer is lost: --repair fetches what is missing, and nothing else, from the\n"
        "registry of the image's name, and 'load' brings it back from an archive.\n"
        "Exits with 1 when something is damaged, with 0 when there are only leftovers of ended commands.",
    .examples = "system check --quick\nsystem check --repair",
    .flags = system_check_flags,
    .max_arguments = 0,
    .topic = Topic::engine,
};

inline constexpr Verb view_image_store_description = {
    .paths = {"system view-image-store"},
    .usage = "DIR",
    .summary = "Look what is in an additional image store: done by other commands when it has changed",
    .min_arguments = 1,
    .max_arguments = 1,
    .topic = Topic::engine,
    .completion = Completion::directories,
    .hidden = true,
};

}  // namespace knarr::cli
