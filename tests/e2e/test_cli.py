# SPDX-License-Identifier: Apache-2.0
"""Help, usage errors, info, version, templates, completion: the engine's manners."""

import json
import os
import re
import subprocess

import pytest
from harness import IMAGE

VERBS = ["run", "create", "start", "stop", "restart", "kill", "rm", "ps", "exec", "attach", "logs", "inspect", "wait", "cp", "images", "rmi", "tag",
         "untag", "history", "load", "import", "rename", "top", "info", "version", "unshare", "container", "image", "volume", "system"]


# Help.

def test_help_lists_the_verbs(engine):
    text = engine("--help")
    missing = [verb for verb in VERBS if not re.search(rf"^\s+{verb}\b", text, re.M)]
    assert not missing


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(engine, verb):
    text = engine(verb, "--help")
    assert re.search(rf"Usage:\s+\S*knarr {verb}", text), text
    assert engine(verb, "-h" if verb not in ("run", "create") else "--help") == text


@pytest.mark.parametrize("command", ["container ls", "container rm", "container prune", "container exists", "image ls", "image rm", "image prune",
                                     "image inspect", "image exists", "volume create", "volume ls", "volume rm", "volume inspect", "volume prune"])
def test_nested_verbs_have_help(engine, command):
    assert f"knarr {command}" in engine(*command.split(), "--help")


def test_help_uses_the_name_it_was_called_by(engine, scratch):
    link = os.path.join(scratch, "podman")
    os.symlink(os.path.abspath(engine.program[0]), link)
    out = subprocess.run([link, "run", "--help"], stdout=subprocess.PIPE, text=True, check=True, env=engine.environment()).stdout
    assert "podman run" in out


def test_no_verb_is_help(engine):
    result = engine.result()
    assert "Usage:" in result.out + result.err


# Usage errors.

@pytest.mark.parametrize("arguments, verb", [
    (["run", "--nosuch"], "run"), (["run"], "run"), (["ps", "--nosuch"], "ps"), (["rm"], "rm"), (["ps", "surplus"], "ps"),
    (["stop"], "stop"), (["logs"], "logs"), (["tag", "one"], "tag"), (["run", "-e"], "run"), (["rename", "one"], "rename"), (["start"], "start"),
])
def test_usage_errors_point_to_the_help(engine, arguments, verb):
    text = engine.fails(125, *arguments)
    assert text.startswith("Error: ") and f"See 'knarr {verb} --help'" in text, text


def test_exec_needs_a_command(knarr):
    knarr.start("--name", "box")
    assert "command" in knarr.error("exec", "box")


def test_a_typo_is_answered_with_a_hint(engine):
    text = engine.fails(125, "rnu")
    assert "rnu" in text and "run" in text


@pytest.mark.parametrize("arguments", [["run", "--rm=maybe", IMAGE], ["stop", "-t", "x", "box"], ["ps", "-n", "x"], ["run", "--shm-size", "huge", IMAGE],
                                       ["run", "--umask", "9", IMAGE], ["run", "--oom-score-adj", "5000", IMAGE], ["run", "--stop-timeout", "-x", IMAGE],
                                       ["run", "--pull", "nosuch", IMAGE], ["run", "--platform", "plan9/vax", "--pull=never", IMAGE]], ids=str)
def test_bad_values_are_refused(knarr, arguments):
    knarr.error(*arguments)


@pytest.mark.parametrize("arguments", [["-d", "--rm", "-a", "stdout"], ["--rmi", "--name", "x", "-d", "-a", "stdin"]], ids=str)
def test_options_that_contradict_each_other(knarr, arguments):
    knarr.error("run", *arguments, IMAGE, "true")


def test_a_trace_tells_when_each_step_of_a_start_was_done(knarr):
    result = knarr.result("--log-level", "trace", "run", "--rm", "--network", "none", "busybox", "echo", "hello")
    assert result.out == "hello\n"
    for step in ("command: began", "monitor: entered the user namespace", "init: mounting proc at /proc", "command: heard that it runs"):
        assert step in result.err
    knarr("run", "-d", "--name", "web", "busybox", "sleep", "100")
    assert "command: joined the namespaces, cloned" in knarr.result("--log-level", "trace", "exec", "web", "true").err
    assert knarr.result("exec", "web", "true").err == ""


def test_a_bad_log_level_is_refused(engine):
    assert engine.fails(1, "--log-level", "loud", "ps").startswith("Error: ")


def test_equals_and_clusters(knarr):
    assert knarr("run", "--rm=true", "--env=A=b", IMAGE, "sh", "-c", "echo $A") == "b"
    assert knarr("run", "-i", "--rm", "-eA=b", IMAGE, "sh", "-c", "echo $A", input="") == "b"
    assert knarr("run", "-qi", "--rm", IMAGE, "echo", "x", input="") == "x"


# info, version

def test_version(engine):
    assert re.match(r"knarr version \d+\.\d+\.\d+", engine("--version"))
    facts = json.loads(engine("version", "--format", "json"))
    assert facts["Client"]["Version"] == engine("version", "--format", "{{.Client.Version}}")


def test_info(knarr):
    facts = json.loads(knarr("info", "--format", "json"))
    assert facts["store"]["graphRoot"] == knarr.root and facts["store"]["runRoot"] == knarr.runroot
    assert facts["store"]["graphDriverName"] in ("overlay", "fuse-overlayfs", "vfs")
    assert facts["host"]["security"]["rootless"] is (knarr.identity != "root")
    assert facts["store"]["imageStore"]["number"] >= 1 and facts["store"]["containerStore"]["number"] == 0
    assert knarr("info", "--format", "{{.Host.Security.Rootless}}") == ("false" if knarr.identity == "root" else "true")
    assert "graphRoot" in knarr("info") and knarr("system", "info", "--format", "{{.Store.GraphRoot}}") == knarr.root


# Templates.

@pytest.mark.parametrize("template, expected", [
    ("{{.Name}}", "box"), ("{{json .Name}}", '"box"'), ("{{.Config.Labels}}", "map[a:1 b:2]"), ("{{len .Config.Labels}}", "2"),
    ("{{index .Config.Labels \"a\"}}", "1"), ("{{range .Config.Cmd}}<{{.}}>{{end}}", "<sleep><1000>"), ("{{.Config.Cmd}}", "[sleep 1000]"),
    ("{{if .State.Running}}up{{else}}down{{end}}", "down"), ("{{if eq .Name \"box\"}}yes{{end}}", "yes"), ("{{upper .Name}}{{\"\\t\"}}x", "BOX\tx"),
    ("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "a=1;b=2;"), ("{{join .Config.Cmd \"-\"}}", "sleep-1000"),
    ("{{slice .Name 0 2}}", "bo"), ("{{printf \"%s/%d\" .Name 7}}", "box/7"), ("{{.Name | upper}}", "BOX"), ("{{- .Name -}}", "box"),
    ("{{with .Config}}{{.WorkingDir}}{{end}}", "/"), ("{{.State.ExitCode}}", "0"),
])
def test_templates(knarr, template, expected):
    knarr("create", "--name", "box", "-l", "a=1", "-l", "b=2", IMAGE, "sleep", "1000")
    assert knarr("inspect", "--format", template, "box") == expected


@pytest.mark.parametrize("template", ["{{", "{{.Name", "{{nosuch .Name}}", "{{range .Config.Cmd}}", "{{end}}", "{{.NoSuchField}}", "{{if}}x{{end}}"])
def test_bad_templates_are_errors(knarr, template):
    knarr("create", "--name", "box", IMAGE)
    knarr.error("inspect", "--format", template, "box")


# unshare

def test_unshare(engine):
    assert engine("unshare", "id", "-u") == "0"
    assert engine.result("unshare", "sh", "-c", "exit 7").status == 7
    if engine.identity == "user":
        assert len(engine("unshare", "cat", "/proc/self/uid_map").splitlines()) >= 2


# Places.

def test_xdg_directories_are_used(engine, scratch):
    data, run = scratch + "/data", scratch + "/run"
    os.makedirs(data, mode=0o700)
    os.makedirs(run, mode=0o700)
    env = engine.environment({"XDG_DATA_HOME": data, "XDG_RUNTIME_DIR": run})
    facts = json.loads(subprocess.run([*engine.program, "info", "--format", "json"], env=env, stdout=subprocess.PIPE, check=True).stdout)
    if engine.identity == "root":
        assert facts["store"]["graphRoot"] == "/var/lib/knarr"
    else:
        assert facts["store"]["graphRoot"].startswith(data + "/") and facts["store"]["runRoot"].startswith(run + "/")


@pytest.mark.rootless_only
def test_it_works_without_a_runtime_directory(engine, scratch, image):
    env = engine.environment({"XDG_DATA_HOME": scratch, "XDG_RUNTIME_DIR": None})

    def run(*arguments):
        return subprocess.run([*engine.program, *arguments], env=env, stdout=subprocess.PIPE, check=True, text=True).stdout

    run("load", "-q", "-i", image("busybox"))
    assert run("run", "--rm", IMAGE, "echo", "hi") == "hi\n"
    run("unshare", "rm", "-rf", scratch + "/knarr")


def test_the_store_is_closed_to_others(knarr):
    for path in (knarr.root, knarr.runroot):
        assert os.stat(path).st_mode & 0o077 == 0, path


# Completion.

@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_as_the_flag_table_has_them(engine, shell):
    text = engine("completion", shell)
    assert "knarr" in text and shell in text
    committed = os.path.join(os.path.dirname(__file__), "..", "..", "completions")
    files = [name for name in os.listdir(committed) if shell in name or name.endswith("." + shell) or (shell == "zsh" and name.startswith("_"))]
    assert files, "no committed completion"
    with open(os.path.join(committed, files[0])) as file:
        assert file.read().strip() == text.strip()


def test_completion_knows_the_flags(engine):
    assert "--entrypoint\t" in engine("__complete", "--", "run", "--entr")
    assert engine("__complete", "--", "ps", "--sort", "im").splitlines() == ["image", ":none"]


def test_bash_completion_parses(engine):
    subprocess.run(["bash", "-n"], input=engine("completion", "bash"), text=True, check=True)


def test_what_is_planned_is_no_typo(knarr):
    result = knarr.result("compose", "up")
    assert result.status == 125 and "compose' is not supported yet" in result.err
    assert "unrecognized" in knarr.result("rnu").err
