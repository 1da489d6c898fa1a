// SPDX-License-Identifier: Apache-2.0
// The verbs of knarr-registry: as data for knarr, which shows their help and completes them, and with their
// code.
#pragma once

#include "cli/commands/format_flag.h"
#include "cli/commands/sync_flag.h"
#include "cli/verb.h"

namespace knarr::cli {

extern const Verb fetch_verb;
extern const Verb login_verb;
extern const Verb logout_verb;
extern const Verb pull_verb;
extern const Verb push_verb;
extern const Verb search_verb;

inline constexpr Verb fetch_description = {
    .paths = {"__fetch"},
    .usage = "URL FILE",
    .summary = "Fetch what 'load' and 'import' are given the URL of",
    .min_arguments = 2,
    .max_arguments = 2,
    .topic = Topic::engine,
    .hidden = true,
};

inline constexpr auto auth_file_flags = std::to_array<Flag>({
    text_flag("authfile", 0, "FILE", "Credentials of registries").completed_by(Completion::files),
    text_flag("compat-auth-file", 0, "FILE", "Credentials in docker's format (config.json)")
        .completed_by(Completion::files),
});

inline constexpr auto login_flags = join_flags(
    auth_file_flags,
    std::to_array<Flag>({
        text_flag("cert-dir", 0, "DIR", "Certificates of registries").completed_by(Completion::directories),
        toggle("get-login", 0, "Print who is logged in"),
        text_flag("password", 'p', "PASSWORD", "Password; others may see it, so rather use --password-stdin"),
        toggle("password-stdin", 0, "Read the password from standard input"),
        text_flag("secret", 0, "NAME", "Take the password from a secret").not_yet(),
        toggle("tls-verify", 0, "Verify the registry's certificate").with_default("true"),
        text_flag("username", 'u', "USER", "Name of the user"),
        toggle("verbose", 'v', "Print where the credentials are kept"),
    }));
static_assert(is_well_formed(login_flags));

inline constexpr Verb login_description = {
    .paths = {"login"},
    .usage = "[options] [REGISTRY]",
    .summary = "Log in to a registry",
    .description =
        "Asks for what is not given, lets the registry check it, and keeps it in "
        "$XDG_RUNTIME_DIR/containers/auth.json.\nREGISTRY may be followed by a namespace: "
        "quay.io/team. Without it the first search registry is meant.",
    .examples = "login quay.io\nlogin -u me --password-stdin registry.example:5000 < password",
    .flags = login_flags,
    .max_arguments = 1,
    .topic = Topic::images,
    .helper = "knarr-registry",
};

inline constexpr auto logout_flags = join_flags(
    std::to_array<Flag>({toggle("all", 'a', "Forget the credentials of all registries")}), auth_file_flags);
static_assert(is_well_formed(logout_flags));

inline constexpr Verb logout_description = {
    .paths = {"logout"},
    .usage = "[options] [REGISTRY]",
    .summary = "Log out of a registry",
    .examples = "logout quay.io\nlogout --all",
    .flags = logout_flags,
    .max_arguments = 1,
    .topic = Topic::images,
    .helper = "knarr-registry",
};

inline constexpr auto pull_verb_flags = std::to_array<Flag>({
    toggle("all-tags", 'a', "Pull every tag of the repository"),
    text_flag("arch", 0, "ARCH", "Architecture of the image").also("override-arch"),
    text_flag("authfile", 0, "FILE", "Credentials of registries").completed_by(Completion::files),
    text_flag("cert-dir", 0, "DIR", "Certificates of registries").completed_by(Completion::directories),
    text_flag("creds", 0, "USER:PASSWORD", "Credentials of the registry"),
    text_flag("decryption-key", 0, "KEY", "Key of an encrypted image").not_yet(),
    toggle("disable-content-trust", 0, "Accepted for docker's sake, without effect").unlisted(),
    text_flag("os", 0, "OS", "Operating system of the image").also("override-os"),
    text_flag("platform", 0, "OS/ARCH[/VARIANT]", "Platform of the image"),
    text_flag("policy", 0, "POLICY", "When to pull: always, missing, newer or never")
        .one_of("always missing newer never")
        .with_default("always"),
    toggle("quiet", 'q', "Show no progress"),
    natural_flag("retry", 0, "COUNT", "Attempts after one that failed").with_default("3"),
    text_flag("retry-delay", 0, "DURATION", "Time between attempts: 2s (default: longer each time)"),
    text_flag("signature-policy", 0, "FILE", "Policy to check the image against")
        .completed_by(Completion::files)
        .unlisted(),
    sync_flag,
    toggle("tls-verify", 0, "Verify registries' certificates").with_default("true"),
    text_flag("variant", 0, "VARIANT", "Variant of the architecture").also("override-variant"),
});
static_assert(is_well_formed(pull_verb_flags));

inline constexpr Verb pull_description = {
    .paths = {"pull", "image pull"},
    .usage = "[options] IMAGE [IMAGE...]",
    .summary = "Fetch images from a registry",
    .description =
        "A name without a registry is looked up in registries.conf: its alias, or the search registries in "
        "turn.\nIMAGE may also be oci:DIR[:NAME], oci-archive:FILE[:NAME], docker-archive:FILE[:NAME], "
        "dir:DIR,\n"
        "or containers-storage:NAME for what podman has.",
    .examples =
        "pull docker.io/library/debian:12\npull --tls-verify=false localhost:5000/app\npull "
        "oci-archive:app.tar",
    .flags = pull_verb_flags,
    .min_arguments = 1,
    .topic = Topic::images,
    .completion = Completion::images,
    .helper = "knarr-registry",
};

// How what is pushed is made.
inline constexpr auto push_format_flags = std::to_array<Flag>({
    text_flag("compression-format", 0, "FORMAT", "Compress layers that must be sent: gzip or zstd")
        .one_of("gzip zstd"),
    natural_flag("compression-level", 0, "LEVEL",
                 "1 to 9 for gzip (default: the fastest), 1 to 22 for zstd (3)"),
    toggle("force-compression", 0,
           "Send layers anew that are there in another compression (default with a format)"),
    text_flag("format", 'f', "FORMAT", "Format of the manifest: oci or v2s2 (default: as the image came)")
        .one_of("oci v2s2"),
});

inline constexpr auto push_access_flags = std::to_array<Flag>({
    text_flag("authfile", 0, "FILE", "Credentials of registries").completed_by(Completion::files),
    text_flag("cert-dir", 0, "DIR", "Certificates of registries").completed_by(Completion::directories),
    text_flag("creds", 0, "USER:PASSWORD", "Credentials of the registry"),
    text_flag("digestfile", 0, "FILE", "Write the digest of what was pushed to a file")
        .completed_by(Completion::files),
    toggle("quiet", 'q', "Show no progress"),
    toggle("remove-signatures", 0, "Leave signatures of the image out (none are kept in the store)"),
    natural_flag("retry", 0, "COUNT", "Attempts after one that failed").with_default("3"),
    text_flag("retry-delay", 0, "DURATION", "Time between attempts: 2s (default: longer each time)"),
    text_flag("sign-by", 0, "KEY", "Sign by a GPG key").not_yet(),
    text_flag("sign-by-sigstore", 0, "FILE", "Sign as a file of parameters says").not_yet(),
    text_flag("sign-by-sigstore-private-key", 0, "FILE", "Sign by a key of cosign").not_yet(),
    text_flag("sign-passphrase-file", 0, "FILE", "Passphrase of the key").not_yet(),
    text_flag("signature-policy", 0, "FILE", "Policy to check the image against").not_yet().unlisted(),
    toggle("tls-verify", 0, "Verify registries' certificates").with_default("true"),
});

inline constexpr auto push_flags = join_flags(
    push_access_flags, push_format_flags,
    std::to_array<Flag>({
        toggle("all", 0, "Of a manifest list push the images too, not only the list").with_default("true"),
        toggle("compress", 0, "Compress the layers in a directory (dir:)"),
        toggle("disable-content-trust", 0, "Accepted for docker's sake, without effect").unlisted(),
        list_flag("encrypt-layer", 0, "INDEX", "Encrypt these layers only").not_yet(),
        array_flag("encryption-key", 0, "KEY", "Encrypt the layers").not_yet(),
    }));
static_assert(is_well_formed(push_flags));

inline constexpr Verb push_description = {
    .paths = {"push", "image push"},
    .usage = "[options] IMAGE [DESTINATION]",
    .summary = "Send an image or a manifest list to a registry",
    .description =
        "DESTINATION is REGISTRY/REPOSITORY[:TAG]; without it the image's name says where to. Layers that "
        "the "
        "registry\nhas are not sent again, and keep their digests.",
    .examples =
        "push quay.io/me/app:1\npush app registry.example:5000/team/app\n"
        "push --compression-format zstd app quay.io/me/app:zstd\npush app oci:/tmp/layout:app",
    .flags = push_flags,
    .min_arguments = 1,
    .max_arguments = 2,
    .topic = Topic::images,
    .completion = Completion::images,
    .helper = "knarr-registry",
};

inline constexpr auto search_flags = std::to_array<Flag>({
    text_flag("authfile", 0, "FILE", "Credentials of registries").completed_by(Completion::files),
    text_flag("cert-dir", 0, "DIR", "Certificates of registries").completed_by(Completion::directories),
    toggle("compatible", 0, "Show stars and marks too, as docker does"),
    text_flag("creds", 0, "USER:PASSWORD", "Credentials of the registry"),
    array_flag("filter", 'f', "NAME=VALUE", "Show what has this many stars, is-official or is-automated"),
    list_format_flag,
    natural_flag("limit", 0, "COUNT", "Results of each registry").with_default("25"),
    toggle("list-tags", 0, "Show the tags of the repository that is named"),
    toggle("no-trunc", 0, "Show the whole descriptions"),
    toggle("tls-verify", 0, "Verify registries' certificates").with_default("true"),
});
static_assert(is_well_formed(search_flags));

inline constexpr Verb search_description = {
    .paths = {"search"},
    .usage = "[options] TERM",
    .summary = "Search registries for images",
    .description = "All search registries are asked, or the one that TERM begins with: quay.io/TERM.",
    .examples = "search quay.io/podman\nsearch --list-tags docker.io/library/debian",
    .flags = search_flags,
    .min_arguments = 1,
    .max_arguments = 1,
    .topic = Topic::images,
    .helper = "knarr-registry",
};

}  // namespace knarr::cli
