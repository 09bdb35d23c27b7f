"""The facts of a manifest that a verdict takes are what the document says, and the same when they are read back."""

from hypothesis import given
from hypothesis import strategies as st
from world import MODEL, World, runs_code

from registry.policy.facts import CountedCode, ListedCode, ManifestFacts, read_facts, write_facts

PURL = "pkg:huggingface/org/base@0123abc"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
pairs = st.lists(st.tuples(texts, texts), max_size=4).map(tuple)
codes = st.one_of(
    st.none(),
    st.tuples(pairs, st.lists(texts, max_size=3).map(tuple)).map(ListedCode._make),
    st.dictionaries(texts, st.integers(1, 2**53 - 1), max_size=3).map(CountedCode),
)


@given(st.tuples(st.sampled_from(["public", "gated", "private"]), pairs, codes).map(lambda some: ManifestFacts(*some)))
def test_what_is_written_is_read(facts: ManifestFacts) -> None:
    assert read_facts(write_facts(facts)) == facts


def test_they_are_what_the_manifest_says() -> None:
    world = World()
    section = {**runs_code("modeling.py"), "unread": [{"path": "config.json", "reason": "too deep"}]}
    facts = world.releases[world.publish(model=section, external=[(PURL, "finetune")])].manifest
    assert facts is not None
    assert facts.access == "public"
    assert facts.external_parents == ((PURL, "finetune"),)
    assert facts.code == ListedCode((("modeling.py", "python"),), ("config.json",))
    assert {file.path for file in facts.files} == set(MODEL)
    assert read_facts(write_facts(facts)) == facts._replace(files=())
