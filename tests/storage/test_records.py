"""What is written into a text column is read back the same."""

from hypothesis import given
from hypothesis import strategies as st

from doorward.model import ResourceId
from doorward.storage import records

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
WORD = st.from_regex(r"[a-z][a-z0-9_-]{0,9}:[a-z*]{1,9}", fullmatch=True)


@given(
    st.frozensets(WORD), st.lists(TEXT), st.none() | st.frozensets(TEXT), st.dictionaries(TEXT, TEXT | st.integers())
)
def test_sets_lists_and_mappings_come_back(
    words: frozenset[str], items: list[str], ids: frozenset[str] | None, pairs: dict[str, object]
) -> None:
    assert records.permissions(records.joined(words)) == words
    assert records.texts(records.listed(items)) == tuple(items)
    narrowed = None if ids is None else frozenset(map(ResourceId, ids))
    assert records.subtrees(records.narrowed(narrowed)) == narrowed
    assert records.mapping(records.mapped(pairs)) == pairs
