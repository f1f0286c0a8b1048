"""Which rights jobd lacks, from the rules that the API server tells; the shipped Role has exactly the rights that jobd needs."""

from itertools import product
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jobd.kubernetes.mapping.models import ResourceRule
from jobd.kubernetes.mapping.rights import NEEDED, Right, missing, sentences

ROLE = Path(__file__).parents[4] / "deploy" / "kubernetes" / "base" / "rights.yaml"
ALL = {(one.resource, one.verb) for one in NEEDED}


def names(found: list[Right]) -> set[tuple[str, str]]:
    return {(one.resource, one.verb) for one in found}


def shipped() -> list[ResourceRule]:
    found = next(one for one in yaml.safe_load_all(ROLE.read_text()) if one["kind"] == "Role")
    return [
        ResourceRule(verbs=rule["verbs"], api_groups=rule["apiGroups"], resources=rule["resources"])
        for rule in found["rules"]
    ]


def test_the_shipped_role_has_exactly_the_needed_rights() -> None:
    rules = shipped()
    assert missing(rules) == []
    pairs = [pair for rule in rules for pair in product(rule.resources, rule.verbs)]
    assert sorted(pairs) == sorted(ALL)


@pytest.mark.parametrize(("resource", "verb"), sorted(ALL))
def test_each_right_that_is_taken_away_is_told(resource: str, verb: str) -> None:
    rules = [
        ResourceRule(verbs=[one.verb], api_groups=[""], resources=[one.resource])
        for one in NEEDED
        if (one.resource, one.verb) != (resource, verb)
    ]
    found = missing(rules)
    assert names(found) == {(resource, verb)}
    (told,) = sentences(found, "jobs")
    assert told.startswith(f"jobd has no right to {verb} {resource} in namespace jobs: ")


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        (ResourceRule(verbs=["*"], api_groups=["*"], resources=["*"]), set()),
        (ResourceRule(verbs=["*"], api_groups=[""], resources=["*/log"]), ALL - {("pods/log", "get")}),
        (ResourceRule(verbs=["*"], api_groups=["apps"], resources=["*"]), ALL),
        (ResourceRule(verbs=["*"], api_groups=[""], resources=["*"], resource_names=["one"]), ALL),
    ],
)
def test_wildcards(rule: ResourceRule, left: set[tuple[str, str]]) -> None:
    assert names(missing([rule])) == left


@given(st.sets(st.sampled_from(sorted(ALL))))
def test_every_missing_right_is_in_one_sentence(without: set[tuple[str, str]]) -> None:
    found = [one for one in NEEDED if (one.resource, one.verb) in without]
    told = sentences(found, "n")
    for resource, verb in without:
        assert any(f" {resource} in" in one and f" {verb} " in one for one in told)
    assert len(told) == len({(one.resource, one.without) for one in found})
