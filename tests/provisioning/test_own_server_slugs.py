"""Slugs of servers that tenants add for themselves: no two tenants' meet."""

from dataclasses import replace

from doorward.provisioning.own_servers import slug_of
from support.rows import ACME


def test_no_tenant_takes_a_name_in_anothers_place() -> None:
    slugs = ["9a", "t9a", "t", "9", "a", "t-9a"]
    names = ["wiki", "9a-wiki", "t-wiki", "a-wiki"]
    made = [slug_of(replace(ACME, slug=slug), name) for slug in slugs for name in names]
    assert len(set(made)) == len(made)
    assert all(each[0].isalpha() for each in made)
