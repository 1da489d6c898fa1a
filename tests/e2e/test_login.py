# SPDX-License-Identifier: Apache-2.0
"""login and logout: what they ask, what the registry says, what is kept where."""

import base64
import json
import os
import re

import pytest


@pytest.fixture
def private(private_registry):
    return private_registry


@pytest.fixture
def auth_file(scratch):
    return scratch + "/auth.json"


def keys(path):
    with open(path) as file:
        return sorted(json.load(file)["auths"])


def write_auths(path, **users):
    """`users`: host → "user:password"."""
    with open(path, "w") as file:
        json.dump({"auths": {host: {"auth": base64.b64encode(user.encode()).decode()} for host, user in users.items()}}, file)


def login(engine, registry, auth_file, *more, key=None, **options):
    user, password = registry.credentials
    return engine("login", f"--cert-dir={registry.certificates}", f"--authfile={auth_file}", "-u", user, "--password-stdin", *more,
                  key or registry.address, input=password + "\n", **options)


def test_login_keeps_what_the_registry_accepts(knarr, private, auth_file):
    assert login(knarr, private, auth_file, "-v") == f"Used: {auth_file}\nLogin Succeeded!"
    assert os.stat(auth_file).st_mode & 0o777 == 0o600
    assert knarr("login", f"--authfile={auth_file}", "--get-login", private.address) == private.credentials[0]
    with open(auth_file) as file:
        auth = json.load(file)["auths"][private.address]["auth"]
    assert base64.b64decode(auth).decode() == ":".join(private.credentials)


def test_what_the_registry_refuses_is_not_kept(knarr, private, auth_file):
    error = knarr.error("login", f"--cert-dir={private.certificates}", f"--authfile={auth_file}", "-u", "somebody", "--password-stdin",
                        private.address, input="wrong")
    assert error == f'Error: logging into "{private.address}": invalid username/password'
    assert not os.path.exists(auth_file)


def test_a_registry_that_cannot_be_reached_says_so(knarr, auth_file):
    error = knarr.error("login", f"--authfile={auth_file}", "-u", "u", "-p", "p", "127.0.0.1:1")
    assert "127.0.0.1:1" in error and "invalid username" not in error


def test_certificates_are_verified_unless_told_otherwise(knarr, private, auth_file, scratch):
    user, password = private.credentials
    arguments = ("login", f"--authfile={auth_file}", "-u", user, "--password-stdin")
    assert "certificate" in knarr.error(*arguments, private.address, input=password)
    assert "Login Succeeded!" in knarr(*arguments, "--tls-verify=false", private.address, input=password)
    conf = scratch + "/registries.conf"
    with open(conf, "w") as file:
        file.write(f'[[registry]]\nlocation = "{private.address}"\ninsecure = true\n')
    environment = {"CONTAINERS_REGISTRIES_CONF": conf}
    assert "Login Succeeded!" in knarr(*arguments, private.address, input=password, env=environment)
    assert "certificate" in knarr.error(*arguments, "--tls-verify=true", private.address, input=password, env=environment)


def test_a_blocked_registry_gets_no_password(knarr, auth_file, scratch):
    conf = scratch + "/registries.conf"
    with open(conf, "w") as file:
        file.write('[[registry]]\nlocation = "127.0.0.1:1"\nblocked = true\n')
    error = knarr.error("login", f"--authfile={auth_file}", "-u", "u", "-p", "p", "127.0.0.1:1", env={"CONTAINERS_REGISTRIES_CONF": conf})
    assert "blocked" in error


def test_without_a_registry_the_first_search_registry_is_meant(knarr, auth_file, scratch):
    conf = scratch + "/registries.conf"
    with open(conf, "w") as file:
        file.write('unqualified-search-registries = ["a.test", "b.test"]\n')
    write_auths(auth_file, **{"a.test": "first:p"})
    assert knarr("login", f"--authfile={auth_file}", "--get-login", env={"CONTAINERS_REGISTRIES_CONF": conf}) == "first"
    error = knarr.error("login", f"--authfile={auth_file}", "--get-login", env={"CONTAINERS_REGISTRIES_CONF": "/dev/null"})
    assert "a registry must be provided" in error


def test_namespaces_have_credentials_of_their_own(knarr, private, auth_file):
    login(knarr, private, auth_file, key=private.address + "/team")
    assert keys(auth_file) == [private.address + "/team"]
    assert knarr("login", f"--authfile={auth_file}", "--get-login", private.address + "/team/app") == private.credentials[0]
    assert knarr.error("login", f"--authfile={auth_file}", "--get-login", private.address) == f"Error: not logged into {private.address}"


def test_the_prompt_shows_no_password(knarr, private, auth_file):
    user, password = private.credentials
    with knarr.terminal("login", f"--cert-dir={private.certificates}", f"--authfile={auth_file}", private.address) as terminal:
        terminal.expect("Username: ")
        terminal.line(user)
        terminal.expect("Password: ")
        terminal.line(password)
        shown = terminal.expect("(?s)(.*)Login Succeeded!").group(1)
        assert password not in shown
        assert terminal.wait() == 0
    assert keys(auth_file) == [private.address]


def test_ctrl_c_at_the_prompt_ends_it_and_keeps_nothing(knarr, private, auth_file):
    with knarr.terminal("login", f"--cert-dir={private.certificates}", f"--authfile={auth_file}", "-u", "x", private.address) as terminal:
        terminal.expect("Password: ")
        terminal.send("half\x03")
        assert terminal.wait() == -2
    assert not os.path.exists(auth_file)


def test_credentials_that_are_still_good_are_enough(knarr, private, auth_file):
    login(knarr, private, auth_file)
    arguments = ("login", f"--cert-dir={private.certificates}", f"--authfile={auth_file}", private.address)
    out = knarr(*arguments)
    assert out == (f"Authenticating with existing credentials for {private.address}\n"
                   f"Existing credentials are valid. Already logged in to {private.address}")
    write_auths(auth_file, **{private.address: "somebody:old"})
    with knarr.terminal(*arguments) as terminal:
        terminal.expect("Existing credentials are invalid")
        terminal.expect(r"Username \(somebody\): ")
        terminal.line("")
        terminal.expect("Password: ")
        terminal.line(private.credentials[1])
        terminal.expect("Login Succeeded!")
        assert terminal.wait() == 0


def test_flags_that_contradict_each_other(knarr, auth_file):
    assert "must provide --username with --password-stdin" in knarr.error("login", "--password-stdin", "a.test", input="x")
    error = knarr.error("login", "-u", "x", "-p", "y", "--password-stdin", "a.test", input="x")
    assert "can't specify both --password-stdin and --password" in error
    assert "cannot be used together" in knarr.error("login", f"--authfile={auth_file}", f"--compat-auth-file={auth_file}", "a.test")
    assert "--secret" in knarr.error("login", "--secret=x", "a.test")
    assert "contains tag or digest" in knarr.error("login", "--get-login", "a.test/x:1")


def test_without_a_terminal_the_password_must_be_given(knarr, auth_file):
    assert "not a terminal" in knarr.error("login", f"--authfile={auth_file}", "-u", "x", "a.test")
    assert "no password on standard input" in knarr.error("login", "-u", "x", "--password-stdin", "a.test", input="\n")


def test_docker_reads_what_is_written_for_it(knarr, private, scratch):
    path = scratch + "/config.json"
    with open(path, "w") as file:
        json.dump({"auths": {"https://index.docker.io/v1/": {"auth": "dTpw"}}, "currentContext": "mine"}, file)
    user, password = private.credentials
    knarr("login", f"--cert-dir={private.certificates}", f"--compat-auth-file={path}", "-u", user, "--password-stdin", private.address,
          input=password)
    with open(path) as file:
        config = json.load(file)
    assert config["currentContext"] == "mine" and sorted(config["auths"]) == sorted([private.address, "https://index.docker.io/v1/"])
    assert knarr("logout", f"--compat-auth-file={path}", "docker.io") == "Removed login credentials for docker.io"
    assert keys(path) == [private.address]


def test_logout_forgets_one_or_all(knarr, auth_file):
    write_auths(auth_file, **{"a.test": "u:p", "a.test/team": "u:p", "b.test": "u:p"})
    file = f"--authfile={auth_file}"
    assert knarr("logout", file, "a.test") == "Removed login credentials for a.test"
    assert keys(auth_file) == ["a.test/team", "b.test"]
    assert knarr.error("logout", file, "a.test") == "Error: not logged into a.test"
    assert "credentials for it" in knarr.error("logout", file, "b.test/team")
    assert "takes no arguments" in knarr.error("logout", file, "--all", "b.test")
    assert knarr("logout", file, "--all") == "Removed login credentials for all registries"
    assert keys(auth_file) == []


def test_a_login_is_found_without_options(knarr, private, scratch):
    environment = {"XDG_RUNTIME_DIR": scratch, "REGISTRY_AUTH_FILE": None, "DOCKER_CONFIG": None}
    user, password = private.credentials
    knarr("login", f"--cert-dir={private.certificates}", "-u", user, "--password-stdin", private.address, input=password, env=environment)
    assert keys(scratch + "/containers/auth.json") == [private.address]
    assert knarr("login", "--get-login", private.address, env=environment) == user


def test_a_password_on_the_command_line_is_warned_about(knarr, registry, auth_file):
    result = knarr.result("login", "--tls-verify=false", f"--authfile={auth_file}", "-u", "u", "-p", "secret", registry.address)
    assert result.status == 0 and re.search("level=warning .*--password-stdin", result.err) and "secret" not in result.err
