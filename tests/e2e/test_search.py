# SPDX-License-Identifier: Apache-2.0
"""search: what registries have, and the tags of a repository."""

import json

import oci
import pytest
from bad_registry import BadRegistry

INSECURE = "--tls-verify=false"


@pytest.fixture(scope="module")
def filled(start_registry):
    registry = start_registry()
    for name in ("team/web:1", "team/web:2", "team/api:1", "other/webapp:1"):
        registry.push_image(name, oci.Image([oci.Layer().file("a", name)]))
    return registry


def names(engine, *arguments, **more):
    return engine("search", INSECURE, "--format", "{{.Name}}", *arguments, **more).splitlines()


def test_a_registry_without_search_is_searched_by_its_names(knarr, filled):
    assert names(knarr, filled.address + "/web") == [filled.name("other/webapp"), filled.name("team/web")]
    assert len(names(knarr, filled.address + "/")) == 3
    assert len(names(knarr, "--limit=1", filled.address + "/")) == 1
    assert knarr("search", INSECURE, filled.address + "/nothing") == ""


def test_the_search_registries_are_asked_for_a_bare_term(knarr, filled, scratch):
    path = scratch + "/registries.conf"
    with open(path, "w") as file:
        file.write(f'unqualified-search-registries = ["127.0.0.1:1", "{filled.address}"]\n')
    environment = {"CONTAINERS_REGISTRIES_CONF": path}
    result = knarr.result("search", INSECURE, "--format", "{{.Name}}", "api", env=environment)
    assert result.status == 0 and result.out == filled.name("team/api") + "\n"
    assert "level=warning" in result.err and "127.0.0.1:1" in result.err
    with open(path, "w") as file:
        file.write('unqualified-search-registries = ["127.0.0.1:1"]\n')
    assert "127.0.0.1:1" in knarr.error("search", "api", env=environment)
    assert "name a registry" in knarr.error("search", "api", env={"CONTAINERS_REGISTRIES_CONF": "/dev/null"})


def test_tags_are_listed(knarr, filled):
    """In the registry's order, which is any."""
    name = filled.name("team/web")
    title, *rows = [line.split() for line in knarr("search", INSECURE, "--list-tags", name).splitlines()]
    assert title == ["NAME", "TAG"] and sorted(rows) == [[name, "1"], [name, "2"]]
    [found] = json.loads(knarr("search", INSECURE, "--list-tags", "--format=json", name))
    assert found["Name"] == name and sorted(found["Tags"]) == ["1", "2"]
    assert knarr("search", INSECURE, "--list-tags", "--limit=1", "--format={{.Tag}}", name) in ("1", "2")


def test_tags_need_a_full_name(knarr, filled):
    for name in ("web", "team/web", filled.name("team/web:1")):
        assert "must be a full name" in knarr.error("search", "--list-tags", name)
    assert "filters are not applicable" in knarr.error("search", "--list-tags", "--filter=stars=1", filled.name("team/web"))


RESULTS = {"results": [{"name": "one", "description": "a long\ndescription " * 5, "star_count": 7, "is_official": True, "is_automated": False},
                       {"name": "two/part", "description": "", "star_count": 2, "is_official": False, "is_automated": True}]}


@pytest.fixture
def searchable():
    """A registry with the search of docker's first ones."""
    def answer_search(request, answer):
        if request.path.startswith("/v1/search"):
            answer.status, answer.body = 200, json.dumps(RESULTS).encode()

    with BadRegistry() as registry:
        registry.fault("other", answer_search)
        yield registry


def test_filters(knarr, searchable):
    one, two = f"{searchable.address}/one", f"{searchable.address}/two/part"
    term = searchable.address + "/x"
    assert names(knarr, term) == [one, two]
    assert names(knarr, "--filter=stars=3", term) == [one]
    assert names(knarr, "--filter=is-official", term) == [one]
    assert names(knarr, "--filter=is-official=false", term) == [two]
    assert names(knarr, "-f", "is-automated=true", "-f", "stars=3", term) == []
    assert "expected a number" in knarr.error("search", "--filter=stars=many", term)
    assert "colour" in knarr.error("search", "--filter=colour=red", term)


def test_the_table(knarr, searchable):
    term = searchable.address + "/x"
    title, first, _ = knarr("search", INSECURE, term).splitlines()
    assert title.split() == ["NAME", "DESCRIPTION"] and first.endswith("...") and len(first.split(maxsplit=1)[1]) == 47
    assert "..." not in knarr("search", INSECURE, "--no-trunc", term)
    title, first, second = knarr("search", INSECURE, "--compatible", term).splitlines()
    assert title.split() == ["NAME", "DESCRIPTION", "STARS", "OFFICIAL", "AUTOMATED"]
    assert first.split()[-2:] == ["7", "[OK]"] and second.split()[-2:] == ["2", "[OK]"]
    found = json.loads(knarr("search", INSECURE, "--format=json", term))
    assert found[0]["Index"] == searchable.address and found[0]["Stars"] == 7 and found[0]["Official"] == "[OK]"
