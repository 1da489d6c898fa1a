// SPDX-License-Identifier: Apache-2.0
// The verbs of manifest lists, which live in knarr-registry: as data, and with their code.
#pragma once

#include "cli/commands/registry_verbs.h"
#include "cli/verb.h"

namespace knarr::cli {

extern const Verb manifest_add_verb;
extern const Verb manifest_annotate_verb;
extern const Verb manifest_create_verb;
extern const Verb manifest_exists_verb;
extern const Verb manifest_inspect_verb;
extern const Verb manifest_push_verb;
extern const Verb manifest_remove_verb;
extern const Verb manifest_rm_verb;

// What an entry says of its image.
inline constexpr auto list_entry_flags = std::to_array<Flag>({
    array_flag("annotation", 0, "NAME=VALUE", "Annotation of the entry"),
    text_flag("arch", 0, "ARCH", "Architecture the image is for"),
    list_flag("features", 0, "FEATURE", "Features of a processor the image needs"),
    text_flag("os", 0, "OS", "Operating system the image is for"),
    list_flag("os-features", 0, "FEATURE", "Features of an operating system the image needs"),
    text_flag("os-version", 0, "VERSION", "Version of the operating system the image is for"),
    text_flag("variant", 0, "VARIANT", "Variant of the architecture the image is for"),
});

inline constexpr auto list_access_flags = std::to_array<Flag>({
    text_flag("authfile", 0, "FILE", "Credentials of registries").completed_by(Completion::files),
    text_flag("cert-dir", 0, "DIR", "Certificates of registries").completed_by(Completion::directories),
    text_flag("creds", 0, "USER:PASSWORD", "Credentials of the registry"),
    toggle("tls-verify", 0, "Verify registries' certificates").with_default("true"),
});

inline constexpr auto all_images_flag = std::to_array<Flag>(
    {toggle("all", 0, "Of what is a list itself take all images, not only this machine's")});

inline constexpr auto manifest_create_flags =
    join_flags(all_images_flag, list_access_flags,
               std::to_array<Flag>({
                   toggle("amend", 'a', "Go on with a list that exists"),
                   array_flag("annotation", 0, "NAME=VALUE", "Annotation of the list"),
               }));
static_assert(is_well_formed(manifest_create_flags));

inline constexpr Verb manifest_create_description = {
    .paths = {"manifest create"},
    .usage = "[options] LIST [IMAGE...]",
    .summary = "Make a manifest list",
    .description =
        "A list is a name for images of several platforms, here until it is pushed. IMAGE is as in manifest "
        "add.",
    .examples = "manifest create app:1 localhost/app:amd64 localhost/app:arm64",
    .flags = manifest_create_flags,
    .min_arguments = 1,
    .topic = Topic::images,
    .completion = Completion::images,
    .helper = "knarr-registry",
};

inline constexpr auto manifest_add_flags = join_flags(all_images_flag, list_access_flags, list_entry_flags);
static_assert(is_well_formed(manifest_add_flags));

inline constexpr Verb manifest_add_description = {
    .paths = {"manifest add"},
    .usage = "[options] LIST IMAGE [IMAGE...]",
    .summary = "Put images into a manifest list",
    .description =
        "IMAGE is one in the store, else one a registry has; docker://NAME means a registry's in any case.",
    .examples =
        "manifest add app:1 localhost/app:riscv64\nmanifest add --all app:1 docker://quay.io/me/app:1",
    .flags = manifest_add_flags,
    .min_arguments = 2,
    .topic = Topic::images,
    .completion = Completion::images,
    .helper = "knarr-registry",
};

inline constexpr auto manifest_annotate_flags =
    join_flags(list_entry_flags, std::to_array<Flag>({toggle("index", 0, "Annotate the list itself")}));
static_assert(is_well_formed(manifest_annotate_flags));

inline constexpr Verb manifest_annotate_description = {
    .paths = {"manifest annotate"},
    .usage = "[options] LIST DIGEST",
    .summary = "Change what a manifest list says of an image",
    .description =
        "DIGEST is that of the image's manifest, as manifest inspect shows it, or the name of an image in "
        "the store.",
    .examples = "manifest annotate --arch arm --variant v7 app:1 sha256:4b5c...",
    .flags = manifest_annotate_flags,
    .min_arguments = 1,
    .max_arguments = 2,
    .topic = Topic::images,
    .completion = Completion::images,
    .helper = "knarr-registry",
};

inline constexpr Verb manifest_exists_description = {
    .paths = {"manifest exists"},
    .usage = "LIST",
    .summary = "Exit with 0 when a manifest list exists, else with 1",
    .examples = "manifest exists app:1",
    .min_arguments = 1,
    .max_arguments = 1,
    .topic = Topic::images,
    .completion = Completion::images,
    .helper = "knarr-registry",
};

inline constexpr auto manifest_inspect_flags = join_flags(
    list_access_flags,
    std::to_array<Flag>({toggle("verbose", 'v', "Accepted for docker's sake, without effect").unlisted()}));
static_assert(is_well_formed(manifest_inspect_flags));

inline constexpr Verb manifest_inspect_description = {
    .paths = {"manifest inspect"},
    .usage = "[options] LIST",
    .summary = "Show a manifest list, here or at a registry",
    .examples = "manifest inspect app:1\nmanifest inspect docker.io/library/debian",
    .flags = manifest_inspect_flags,
    .min_arguments = 1,
    .max_arguments = 1,
    .topic = Topic::images,
    .completion = Completion::images,
    .helper = "knarr-registry",
};

inline constexpr auto manifest_push_flags =
    join_flags(push_access_flags, push_format_flags,
               std::to_array<Flag>({
                   toggle("all", 0, "Push the images too, not only the list").with_default("true"),
                   toggle("rm", 'p', "Remove the list once it is pushed").also("purge"),
               }));
static_assert(is_well_formed(manifest_push_flags));

inline constexpr Verb manifest_push_description = {
    .paths = {"manifest push"},
    .usage = "[options] LIST [DESTINATION]",
    .summary = "Send a manifest list and its images to a registry",
    .description =
        "Images of other registries are copied as they are. --format is that of the list, and of the images "
        "in the store.\nDESTINATION may also be oci:DIR[:NAME], oci-archive:FILE[:NAME] or dir:DIR.",
    .examples = "manifest push app:1 quay.io/me/app:1\nmanifest push --rm quay.io/me/app:1",
    .flags = manifest_push_flags,
    .min_arguments = 1,
    .max_arguments = 2,
    .topic = Topic::images,
    .completion = Completion::images,
    .helper = "knarr-registry",
};

inline constexpr Verb manifest_remove_description = {
    .paths = {"manifest remove"},
    .usage = "LIST DIGEST",
    .summary = "Take an image out of a manifest list",
    .examples = "manifest remove app:1 sha256:4b5c...",
    .min_arguments = 2,
    .max_arguments = 2,
    .topic = Topic::images,
    .completion = Completion::images,
    .helper = "knarr-registry",
};

inline constexpr auto manifest_rm_flags =
    std::to_array<Flag>({toggle("ignore", 'i', "Be content when a list does not exist")});

inline constexpr Verb manifest_rm_description = {
    .paths = {"manifest rm"},
    .usage = "[options] LIST [LIST...]",
    .summary = "Remove manifest lists; the images stay",
    .examples = "manifest rm app:1",
    .flags = manifest_rm_flags,
    .min_arguments = 1,
    .topic = Topic::images,
    .completion = Completion::images,
    .helper = "knarr-registry",
};

}  // namespace knarr::cli
