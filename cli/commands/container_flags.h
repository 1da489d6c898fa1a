// SPDX-License-Identifier: Apache-2.0
// What `run` and `create` have in common: their flags, and the way from there to the engine's request.
#pragma once

#include "cli/verb.h"
#include "engine/run.h"

namespace knarr::cli {

inline constexpr auto general_flags = grouped(
    FlagGroup::general,
    std::to_array<Flag>({
        list_flag("attach", 'a', "STREAM", "Attach to stdin, stdout or stderr only")
            .one_of("stdin stdout stderr"),
        text_flag("cidfile", 0, "FILE", "Write the container's ID to a file").completed_by(Completion::files),
        text_flag("conmon-pidfile", 0, "FILE", "Write the monitor's process ID to a file")
            .completed_by(Completion::files),
        toggle("disable-content-trust", 0, "Accepted for docker's sake, without effect").unlisted(),
        text_flag("log-driver", 0, "DRIVER", "Where output is logged: k8s-file (default), json-file or none")
            .one_of("k8s-file json-file none"),
        list_flag("log-opt", 0, "NAME=VALUE", "path, max-size, max-file or tag of the log"),
        text_flag("name", 0, "NAME", "Name of the container"),
        text_flag("personality", 0, "PERSONA", "Execution domain").not_yet(),
        text_flag("pidfile", 0, "FILE", "Write the process ID of the container's init to a file")
            .completed_by(Completion::files),
        text_flag("pod", 0, "NAME", "Join a pod").not_yet(),
        text_flag("pod-id-file", 0, "FILE", "Join the pod whose ID is in a file").not_yet(),
        toggle("replace", 0, "Remove a container of the same name first"),
        list_flag("requires", 0, "CONTAINER", "Start other containers first").not_yet(),
        text_flag("restart", 0, "POLICY", "When to start it again")
            .one_of("no on-failure always unless-stopped")
            .not_yet("no never"),
        toggle("rm", 0, "Remove the container when it exits"),
        toggle("rootfs", 0, "The first argument is a directory, not an image"),
        text_flag("sdnotify", 0, "WHO", "Who tells systemd that the container is ready")
            .one_of("container conmon healthy ignore")
            .not_yet("ignore"),
        text_flag("systemd", 0, "MODE", "Prepare the container for systemd")
            .one_of("true false always")
            .not_yet("true false"),
    }));

inline constexpr auto process_flags = grouped(
    FlagGroup::process,
    std::to_array<Flag>({
        text_flag("entrypoint", 0, "COMMAND", "Replace the image's entrypoint"),
        array_flag("env", 'e', "NAME=VALUE",
                   "Set a variable; NAME alone takes it from here, NAME* all that begin so"),
        array_flag("env-file", 0, "FILE", "Read variables from a file").completed_by(Completion::files),
        toggle("env-host", 0, "Pass on all variables of the host"),
        array_flag("env-merge", 0, "NAME=VALUE", "Set a variable from the image's: PATH=/x:${PATH}"),
        text_flag("group-entry", 0, "ENTRY", "Line to add to /etc/group"),
        list_flag("group-add", 0, "GROUP", "Add a supplementary group; keep-groups keeps the caller's"),
        list_flag("hostuser", 0, "USER", "Add a user of the host to /etc/passwd").not_yet(),
        toggle("http-proxy", 0, "Pass on the host's proxy variables").with_default("true"),
        toggle("init", 0, "Run an init that forwards signals and reaps processes"),
        text_flag("init-path", 0, "FILE", "The init to run").not_yet(),
        toggle("interactive", 'i', "Keep standard input open"),
        text_flag("passwd-entry", 0, "ENTRY", "Line to add to /etc/passwd"),
        list_flag("preserve-fd", 0, "FD", "Pass on certain file descriptors").not_yet(),
        natural_flag("preserve-fds", 0, "COUNT", "Pass on that many file descriptors from 3 on"),
        text_flag("stop-signal", 0, "SIGNAL", "Signal that stops the container (default SIGTERM)"),
        text_flag("stop-timeout", 0, "SECONDS", "Time between the stop signal and SIGKILL (default 10)"),
        natural_flag("timeout", 0, "SECONDS", "Kill the container after that time"),
        toggle("tty", 't', "Give the container a terminal"),
        text_flag("tz", 0, "ZONE", "Time zone, or local for the host's"),
        text_flag("umask", 0, "MASK", "File mode creation mask (default 0022)"),
        array_flag("unsetenv", 0, "NAME", "Leave out a variable of the image"),
        toggle("unsetenv-all", 0, "Leave out all variables of the image"),
        text_flag("user", 'u', "USER[:GROUP]", "User to run as, by name or number"),
        text_flag("workdir", 'w', "DIR", "Working directory in the container"),
    }));

inline constexpr auto metadata_flags = grouped(
    FlagGroup::metadata,
    std::to_array<Flag>({
        array_flag("annotation", 0, "NAME=VALUE", "Add an annotation"),
        array_flag("label", 'l', "NAME=VALUE", "Add a label"),
        array_flag("label-file", 0, "FILE", "Read labels from a file").completed_by(Completion::files),
    }));

inline constexpr auto filesystem_flags =
    grouped(FlagGroup::filesystem,
            std::to_array<Flag>({
                list_flag("chrootdirs", 0, "DIR", "Directories to chroot into").not_yet(),
                array_flag("device", 0, "HOST[:CONTAINER[:rwm]]", "Add a device of the host")
                    .completed_by(Completion::files),
                list_flag("device-cgroup-rule", 0, "RULE", "Rule for the devices control group").not_yet(),
                array_flag("gpus", 0, "GPU", "Add GPUs").not_yet(),
                text_flag("image-volume", 0, "MODE",
                          "The image's volumes: anonymous (default), bind, tmpfs or ignore")
                    .one_of("anonymous bind tmpfs ignore")
                    .also("builtin-volume"),
                array_flag("mount", 0, "type=TYPE,...", "Mount a bind, volume, tmpfs, image, ..."),
                toggle("read-only", 0, "Make the root file system read-only"),
                toggle("read-only-tmpfs", 0, "With --read-only, keep /tmp, /run and /var/tmp writable")
                    .with_default("true"),
                text_flag("shm-size", 0, "BYTES", "Size of /dev/shm: 64m"),
                text_flag("shm-size-systemd", 0, "BYTES", "Size of systemd's tmpfs mounts").not_yet(),
                array_flag("tmpfs", 0, "DIR[:OPTIONS]", "Mount a tmpfs"),
                array_flag("volume", 'v', "[SOURCE:]DIR[:OPTIONS]", "Mount a directory or a volume")
                    .completed_by(Completion::files),
                array_flag("volumes-from", 0, "CONTAINER[:OPTIONS]", "Mount the volumes of another container")
                    .completed_by(Completion::containers),
            }));

inline constexpr auto network_flags =
    grouped(FlagGroup::network,
            std::to_array<Flag>({
                array_flag("add-host", 0, "NAME:IP", "Add a line to /etc/hosts"),
                list_flag("dns", 0, "IP", "Name server"),
                list_flag("dns-option", 0, "OPTION", "Option in resolv.conf").also("dns-opt"),
                list_flag("dns-search", 0, "DOMAIN", "Search domain"),
                list_flag("expose", 0, "PORT[-END][/udp]", "Expose a port, for --publish-all"),
                text_flag("hostname", 'h', "NAME", "Host name in the container"),
                text_flag("hosts-file", 0, "FILE", "Add the lines of a file to /etc/hosts")
                    .completed_by(Completion::files),
                text_flag("ip", 0, "IP", "IPv4 address in its only network"),
                text_flag("ip6", 0, "IP", "IPv6 address in its only network"),
                text_flag("mac-address", 0, "MAC", "Ethernet address in its only network"),
                array_flag("network", 0, "MODE",
                           "bridge (default), none, host, container:NAME, ns:PATH or NETWORK[:ip=IP,...]")
                    .completed_by(Completion::network_modes)
                    .also("net"),
                list_flag("network-alias", 0, "NAME", "Another name in its networks"),
                toggle("no-hostname", 0, "Keep the image's /etc/hostname"),
                toggle("no-hosts", 0, "Keep the image's /etc/hosts"),
                list_flag("publish", 'p', "[IP:][HOST:]PORT",
                          "Publish a port or a range: 8080:80, 127.0.0.1::53/udp"),
                toggle("publish-all", 'P', "Publish all exposed ports on free ones of the host"),
            }));

inline constexpr auto resource_flags = grouped(
    FlagGroup::resources,
    std::to_array<Flag>({
        text_flag("blkio-weight", 0, "WEIGHT", "Block I/O weight").not_yet("0"),
        array_flag("blkio-weight-device", 0, "DEVICE:WEIGHT", "Block I/O weight of a device").not_yet(),
        list_flag("cgroup-conf", 0, "NAME=VALUE", "Control group settings").not_yet(),
        text_flag("cgroup-parent", 0, "PATH", "Parent control group").not_yet(),
        text_flag("cgroups", 0, "MODE", "Whether to make a control group")
            .one_of("enabled disabled no-conmon split")
            .not_yet("enabled disabled"),
        natural_flag("cpu-period", 0, "MICROSECONDS", "CPU period").not_yet("0"),
        integer_flag("cpu-quota", 0, "MICROSECONDS", "CPU quota").not_yet("0"),
        natural_flag("cpu-rt-period", 0, "MICROSECONDS", "Real-time CPU period").not_yet("0"),
        integer_flag("cpu-rt-runtime", 0, "MICROSECONDS", "Real-time CPU time").not_yet("0"),
        natural_flag("cpu-shares", 'c', "SHARES", "CPU shares").not_yet("0"),
        text_flag("cpus", 0, "NUMBER", "Number of CPUs").not_yet("0"),
        text_flag("cpuset-cpus", 0, "CPUS", "CPUs to run on").not_yet(),
        text_flag("cpuset-mems", 0, "NODES", "Memory nodes to use").not_yet(),
        array_flag("device-read-bps", 0, "DEVICE:RATE", "Read rate limit").not_yet(),
        array_flag("device-read-iops", 0, "DEVICE:RATE", "Read rate limit").not_yet(),
        array_flag("device-write-bps", 0, "DEVICE:RATE", "Write rate limit").not_yet(),
        array_flag("device-write-iops", 0, "DEVICE:RATE", "Write rate limit").not_yet(),
        text_flag("memory", 'm', "BYTES", "Memory limit").not_yet("0"),
        text_flag("memory-reservation", 0, "BYTES", "Memory soft limit").not_yet("0"),
        text_flag("memory-swap", 0, "BYTES", "Limit of memory and swap").not_yet("0"),
        integer_flag("memory-swappiness", 0, "NUMBER", "Swappiness").not_yet("-1"),
        toggle("oom-kill-disable", 0, "Disable the OOM killer").not_yet(),
        integer_flag("oom-score-adj", 0, "NUMBER", "The host's OOM preference, -1000 to 1000"),
        integer_flag("pids-limit", 0, "NUMBER", "Limit of processes").not_yet("-1 0"),
        text_flag("rdt-class", 0, "CLASS", "Class of Intel RDT").not_yet(),
        list_flag("ulimit", 0, "NAME=SOFT[:HARD]", "Resource limit, or host for the caller's"),
    }));

inline constexpr auto security_flags = grouped(
    FlagGroup::security,
    std::to_array<Flag>({
        list_flag("cap-add", 0, "CAPABILITY", "Add a capability, or all"),
        list_flag("cap-drop", 0, "CAPABILITY", "Drop a capability, or all"),
        toggle("privileged", 0, "Give the container all it may have, and hide nothing from it"),
        text_flag("seccomp-policy", 0, "POLICY", "How to choose the seccomp profile").not_yet("default"),
        array_flag("secret", 0, "SECRET", "Give the container a secret").not_yet(),
        array_flag("security-opt", 0, "OPTION", "seccomp=FILE, no-new-privileges, mask=, unmask=, ..."),
        list_flag("sysctl", 0, "NAME=VALUE", "Set a kernel parameter of the container's namespaces"),
    }));

inline constexpr auto namespace_flags = grouped(
    FlagGroup::namespaces,
    std::to_array<Flag>({
        text_flag("cgroupns", 0, "MODE", "Control group namespace: private, host, ns:PATH or container:NAME")
            .one_of("private host"),
        array_flag("gidmap", 0, "MAP", "Map of group ids").not_yet(),
        text_flag("ipc", 0, "MODE",
                  "IPC namespace: private, shareable, none, host, ns:PATH or container:NAME")
            .one_of("private host shareable none"),
        text_flag("pid", 0, "MODE", "Process namespace: private, host, ns:PATH or container:NAME")
            .one_of("private host"),
        text_flag("subgidname", 0, "NAME", "Entry of /etc/subgid to use").not_yet(),
        text_flag("subuidname", 0, "NAME", "Entry of /etc/subuid to use").not_yet(),
        array_flag("uidmap", 0, "MAP", "Map of user ids").not_yet(),
        text_flag("userns", 0, "MODE", "User namespace: host, keep-id[:uid=,gid=], nomap, auto, ns:PATH, ...")
            .one_of("host keep-id nomap auto private"),
        text_flag("uts", 0, "MODE", "Namespace of the host name: private, host, ns:PATH or container:NAME")
            .one_of("private host"),
    }));

inline constexpr auto health_flags = grouped(
    FlagGroup::health,
    std::to_array<Flag>({
        text_flag("health-cmd", 0, "COMMAND", "Health check").not_yet("none").also("healthcheck-command"),
        text_flag("health-interval", 0, "DURATION", "Time between checks")
            .not_yet()
            .also("healthcheck-interval"),
        text_flag("health-log-destination", 0, "PLACE", "Where checks are logged").not_yet(),
        natural_flag("health-max-log-count", 0, "COUNT", "Checks to log").not_yet(),
        natural_flag("health-max-log-size", 0, "BYTES", "Length of a logged check").not_yet(),
        text_flag("health-on-failure", 0, "ACTION", "What to do with an unhealthy container").not_yet("none"),
        natural_flag("health-retries", 0, "COUNT", "Failures until it is unhealthy")
            .not_yet()
            .also("healthcheck-retries"),
        text_flag("health-start-period", 0, "DURATION", "Time to start")
            .not_yet()
            .also("healthcheck-start-period"),
        text_flag("health-startup-cmd", 0, "COMMAND", "Startup check").not_yet(),
        text_flag("health-startup-interval", 0, "DURATION", "Time between startup checks").not_yet(),
        natural_flag("health-startup-retries", 0, "COUNT", "Startup failures until it is restarted")
            .not_yet(),
        natural_flag("health-startup-success", 0, "COUNT", "Startup checks that must succeed").not_yet(),
        text_flag("health-startup-timeout", 0, "DURATION", "Time for a startup check").not_yet(),
        text_flag("health-timeout", 0, "DURATION", "Time for a check").not_yet().also("healthcheck-timeout"),
        toggle("no-healthcheck", 0, "Run no health check"),
    }));

// The transfer itself comes later; flags that only say how it would be done are accepted: with the image here
// nothing is transferred, and without it the error says so.
inline constexpr auto pull_flags = grouped(
    FlagGroup::pull,
    std::to_array<Flag>({
        text_flag("arch", 0, "ARCH", "Architecture of the image").also("override-arch"),
        text_flag("authfile", 0, "FILE", "Credentials of registries").completed_by(Completion::files),
        text_flag("cert-dir", 0, "DIR", "Certificates of registries").completed_by(Completion::directories),
        text_flag("creds", 0, "USER[:PASSWORD]", "Credentials of the registry"),
        text_flag("decryption-key", 0, "KEY", "Key of an encrypted image").not_yet(),
        text_flag("os", 0, "OS", "Operating system of the image").also("override-os"),
        text_flag("platform", 0, "OS/ARCH[/VARIANT]", "Platform of the image"),
        text_flag("pull", 0, "POLICY", "When to pull the image: missing, never, always or newer")
            .one_of("missing never always newer")
            .with_default("missing"),
        toggle("quiet", 'q', "Show no progress of a pull"),
        natural_flag("retry", 0, "COUNT", "Attempts to pull"),
        text_flag("retry-delay", 0, "DURATION", "Time between attempts"),
        text_flag("signature-policy", 0, "FILE", "Policy to check the image against")
            .completed_by(Completion::files)
            .unlisted(),
        toggle("tls-verify", 0, "Verify registries' certificates").with_default("true"),
        text_flag("variant", 0, "VARIANT", "Variant of the architecture").also("override-variant"),
    }));

inline constexpr auto container_flags =
    join_flags(general_flags, process_flags, metadata_flags, filesystem_flags, network_flags, resource_flags,
               security_flags, namespace_flags, health_flags, pull_flags);

// Reads the files that flags name, and the container records of --volumes-from. Needs the common flags.
// `image`: as obtain_image() has it.
engine::CreateOptions make_create_options(const Invocation& invocation, const Arguments& arguments,
                                          const engine::Engine& engine, const std::string& image);

}  // namespace knarr::cli
