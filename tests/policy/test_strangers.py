"""Properties: whatever strangers record changes no verdict, the same evidence gives the same bytes, and what is held
against a release or not known of it never leads to allow."""

import random
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from world import ALICE, BOB, MALLORY, World, account, artifact, entries, folder, listed, policy, terms_document

from registry.artifacts.canonical import canonical
from registry.chain.records import Relation, Status
from registry.chain.statements import Kind, SubjectKind
from registry.policy.evidence import FileSubject, Subject
from registry.policy.policy import Policy
from registry.policy.reasons import Effect
from registry.policy.stated import file_topics, topics
from registry.policy.terms import Use
from registry.policy.verdict import Verdict, judge, outcome

TRUSTED = (ALICE, BOB)
STRANGERS = (MALLORY, "0x90F79bf6EB2c4f870365E785982E1f101E93b906")
ISSUERS = ("0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65", "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc")
NOBODIES = (*STRANGERS, "0x976EA74026E726554dB657fA54763abd0C3a0aa9")
READER = "0x14dC79964da2C08b23698B3D3cc7Ca32193d9955"
STATES = ("allowed", "allowed", "allowed", "unknown", "conditional", "denied")

# Few folders that are parts, changes and copies of one another, so that claims meet.
FOLDERS: list[dict[str, bytes]] = [
    {"README.md": b"a", "model.bin": b"b"},
    {"README.md": b"a", "model.bin": b"c"},
    {"model.bin": b"b"},
    {"README.md": b"a", "model.bin": b"b", "x/y.txt": b"c"},
    {"renamed.bin": b"b"},
]
folders = st.sampled_from([FOLDERS[0], *FOLDERS])
readings = st.fixed_dictionaries({use.value: st.sampled_from(STATES) for use in (Use.RUN, Use.MODIFY)})
availability = st.sampled_from(["available", "available", "available", "unavailable", "invalid"])


@dataclass(frozen=True)
class Step:
    """One release, and what becomes of it; `parent` and `successor` choose among those before and after."""

    publisher: int
    files: dict[str, bytes]
    terms: dict[str, str] | None
    manifest: Any
    terms_state: Any
    status: Status
    parent: int | None
    relation: Relation
    successor: int | None


steps = st.builds(
    Step,
    st.integers(0, 1),
    folders,
    st.one_of(st.none(), readings, readings, readings, readings),
    availability,
    availability,
    st.sampled_from([Status.ACTIVE, Status.ACTIVE, Status.DEPRECATED, Status.REVOKED]),
    st.none() | st.integers(0, 9),
    st.sampled_from(Relation),
    st.none() | st.integers(0, 9),
)


@dataclass(frozen=True)
class Beside:
    """What is recorded beside releases: a grant, a statement or a freeze, chosen by numbers from what there is."""

    what: str
    who: int
    release: int
    block: int
    kind: Kind
    topic: int
    use: Use
    to: int


besides = st.builds(
    Beside,
    st.sampled_from(["grant", "statement", "statement", "freeze"]),
    st.integers(0, 2),
    st.integers(0, 9),
    st.integers(1, 900),
    st.sampled_from(Kind),
    st.integers(0, 7),
    st.sampled_from(Use),
    st.integers(0, 3),
)


def record(world: World, who: tuple[str, ...], steps: list[Beside]) -> None:
    """Record these by those who may: grants on their own releases, statements about anything, freezes of themselves."""
    known = list(world.releases)
    for step in steps:
        actor = who[step.who % len(who)]
        own = [release for release in known if world.releases[release].record.release.publisher == actor]
        if step.what == "grant" and own:
            grantee = ("0x" + "00" * 20, READER, ALICE, MALLORY)[step.to]
            world.grant(own[step.release % len(own)], step.use, grantee, block=step.block)
        elif step.what == "statement" and known:
            claim = world.releases[known[step.release % len(known)]]
            files = () if claim.manifest is None else claim.manifest.files[:1]
            in_it = [topic for file in files for topic in file_topics(bytes.fromhex(file.sha256), file.cid)]
            about = (*topics(claim), *in_it)
            earlier = [(SubjectKind.STATEMENT, statement.statement_id) for statement in world.statements]
            kind, subject = (*about, *earlier[-1:])[step.topic % (len(about) + bool(earlier))]
            world.state(actor, step.kind, kind, subject, block=step.block)
        elif step.what == "freeze":
            world.freeze(actor, step.block, max(step.block, 500), successor=(None, ALICE, MALLORY, BOB)[step.to])


subjects = st.builds(
    lambda files, make: make(files),
    folders,
    st.sampled_from([artifact, folder, listed, lambda files: listed(files, cid=False)]),
)
policies = st.builds(
    lambda **keys: policy(*TRUSTED, **keys),
    accept=st.sampled_from([["exact"], ["subset"], ["superset"], ["subset", "superset"]]),
    extra_files=st.sampled_from([[], ["**"], ["*.md"]]),
    accept_conditional=st.sampled_from([[], ["run"], ["run", "modify"]]),
    lineage=st.sampled_from(["trusted", "declared"]),
    otherwise=st.sampled_from(["unknown", "unknown", "unknown", "refuse"]),
    account=st.sampled_from([account(READER), account(ALICE)]),
    disputes=st.sampled_from([[], [account(ISSUERS[0])], [account(issuer) for issuer in ISSUERS]]),
    rulings=st.sampled_from([[], [account(ISSUERS[1])]]),
    require=st.sampled_from([[], [], [{"kind": "audit", "issuers": [account(ISSUERS[0])]}]]),
    code=st.sampled_from(["trusted", "none"]),
    finality=st.sampled_from(["latest", "latest", "safe"]),
)
trusting_successors = st.builds(lambda asked, trust: replace(asked, trust_successors=trust), policies, st.booleans())


def add(world: World, publishers: tuple[str, str], history: list[Step], parents: list[bytes]) -> None:
    """Record a history by these publishers; `parents` are releases that it may also derive from."""
    mine: list[bytes] = []
    for step in history:
        known = parents + mine
        release = world.publish(
            publishers[step.publisher],
            step.files,
            terms=None if step.terms is None else terms_document("drawn", **step.terms),
            parents=[] if step.parent is None or not known else [(known[step.parent % len(known)], step.relation)],
            manifest=step.manifest,
            terms_state=step.terms_state,
        )
        mine.append(release)
    for release, step in zip(mine, history, strict=True):
        others = [other for other in mine if other != release]
        successor = None if step.successor is None or not others else others[step.successor % len(others)]
        if step.status is not Status.ACTIVE:
            world.set_status(release, step.status, successor)


def essence(verdict: Verdict) -> tuple[Any, ...]:
    """All that a verdict says but what it lists."""
    document = verdict.to_json()
    listed_only = {"only-strangers", "no-claim"}
    reasons = [reason for reason in document["reasons"] if reason["code"] not in listed_only]
    return document["verdict"], document["match"], reasons, document["documents"]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(steps, max_size=4),
    st.lists(besides, max_size=4),
    st.lists(steps, min_size=1, max_size=5),
    st.lists(besides, max_size=6),
    subjects,
    policies,
)
def test_what_strangers_record_never_changes_a_verdict(
    history: list[Step],
    beside: list[Beside],
    strangers: list[Step],
    beside_strangers: list[Beside],
    subject: Subject,
    asked: Policy,
) -> None:
    world = World(safe=3)
    add(world, TRUSTED, history, [])
    record(world, (*TRUSTED, *ISSUERS), beside)
    before = world.judge(subject, asked)
    add(world, STRANGERS, strangers, list(world.releases))
    record(world, NOBODIES, beside_strangers)
    after = world.judge(subject, asked)
    assert essence(before) == essence(after)
    if any(claim.counted for claim in before.claims):
        assert [reason.code for reason in before.reasons] == [reason.code for reason in after.reasons]
    counted = [claim.release.release_id for claim in after.claims if claim.counted]
    assert counted == [claim.release.release_id for claim in before.claims if claim.counted]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(steps, min_size=1, max_size=5),
    st.lists(besides, max_size=6),
    subjects,
    trusting_successors,
    st.randoms(use_true_random=False),
)
def test_the_same_evidence_gives_the_same_bytes_in_any_order(
    history: list[Step], beside: list[Beside], subject: Subject, asked: Policy, chance: random.Random
) -> None:
    world = World(safe=3)
    add(world, (ALICE, MALLORY), history, [])
    record(world, (*TRUSTED, *ISSUERS, MALLORY), beside)
    evidence = world.evidence(subject, asked)

    def shuffled(claims: Any) -> Any:
        return tuple(chance.sample(list(claims), len(claims)))

    again = replace(
        evidence,
        candidates=shuffled(evidence.candidates),
        others=shuffled(evidence.others),
        related=dict(shuffled(evidence.related.items())),
        publishers=dict(shuffled(evidence.publishers.items())),
        grants={release: shuffled(grants) for release, grants in shuffled(evidence.grants.items())},
        statements=shuffled(evidence.statements),
        stated_files={
            release: dict(shuffled(files.items())) for release, files in shuffled(evidence.stated_files.items())
        },
    )
    assert judge(subject, asked, evidence).to_bytes() == judge(subject, asked, again).to_bytes()


@settings(max_examples=300, deadline=None)
@given(
    st.lists(steps, min_size=1, max_size=4),
    st.lists(besides, max_size=5),
    subjects,
    trusting_successors,
    besides,
    st.sampled_from(ISSUERS),
)
def test_a_dispute_or_an_upheld_ruling_more_never_leads_to_allow(
    history: list[Step], beside: list[Beside], subject: Subject, asked: Policy, more: Beside, issuer: str
) -> None:
    world = World(safe=3)
    add(world, TRUSTED, history, [])
    record(world, (*TRUSTED, *ISSUERS), beside)
    before = world.judge(subject, asked)
    kind = Kind.DISPUTE if more.kind % 2 else Kind.RULING_UPHELD
    record(world, (issuer,), [replace(more, what="statement", kind=kind)])
    after = world.judge(subject, asked)
    order = ["refuse", "unknown", "allow"]
    assert order.index(after.outcome) <= order.index(before.outcome)


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, min_size=1, max_size=4), st.lists(besides, max_size=5), subjects, trusting_successors, st.data())
def test_what_is_not_known_never_leads_to_allow(
    history: list[Step], beside: list[Beside], subject: Subject, asked: Policy, data: st.DataObject
) -> None:
    world = World(safe=900)
    add(world, TRUSTED, history, [])
    record(world, (*TRUSTED, *ISSUERS), beside)
    whole = world.evidence(subject, asked)
    unread = data.draw(st.sampled_from(sorted(whole.publishers)))
    cuts = [
        replace(whole, publishers={who: frozen for who, frozen in whole.publishers.items() if who != unread}),
        replace(whole, grants={}),
        replace(whole, as_of=replace(whole.as_of, safe=None)),
    ]
    for cut in cuts:
        if judge(subject, asked, cut).outcome == "allow":
            assert judge(subject, asked, whole).outcome == "allow"


@settings(max_examples=400, deadline=None)
@given(st.lists(steps, max_size=5), subjects, policies)
def test_allow_rests_on_an_accepted_match_and_a_counted_permission_for_every_use(
    history: list[Step], subject: Subject, asked: Policy
) -> None:
    world = World()
    add(world, (ALICE, MALLORY), history, [])
    verdict = world.judge(subject, asked)
    if verdict.outcome != "allow":
        return
    assert verdict.to_bytes() == canonical(verdict.to_json())
    assert verdict.match.kind in asked.accept
    assert {reason.effect for reason in verdict.reasons} <= {Effect.ALLOW, Effect.INFO}
    for use in asked.uses:
        grants = [r for r in verdict.reasons if r.effect is Effect.ALLOW and r.use == use and r.release is not None]
        assert grants
        for grant in grants:
            assert grant.release is not None
            claim = world.releases[grant.release]
            assert claim.record.release.publisher in asked.publishers_on(verdict.as_of.deployment)
            assert claim.status.status is not Status.REVOKED
            assert claim.manifest is not None
            assert claim.terms is not None
            assert claim.terms.reading(use).state != "unknown"


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, max_size=5), subjects, policies)
def test_without_a_policy_or_with_one_file_nothing_is_allowed(
    history: list[Step], subject: Subject, asked: Policy
) -> None:
    world = World()
    add(world, (ALICE, MALLORY), history, [])
    assert world.judge(subject, None).outcome == "unknown"
    for data in (b"a", b"b", b"c"):
        (entry,) = entries({"file": data})
        for lone in (FileSubject(sha256=entry.sha256), FileSubject(cid=entry.cid)):
            assert world.judge(lone, asked).outcome != "allow"


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, min_size=1, max_size=5), subjects, policies, st.data())
def test_taking_a_permission_away_never_leads_to_allow(
    history: list[Step], subject: Subject, asked: Policy, data: st.DataObject
) -> None:
    world = World()
    add(world, TRUSTED, history, [])
    verdict = world.judge(subject, asked)
    if verdict.outcome != "allow":
        fewer = [reason for reason in verdict.reasons if reason.effect is not Effect.ALLOW]
        assert outcome(fewer, asked) != "allow"
        release = data.draw(st.sampled_from(sorted(world.releases)))
        claim = world.releases[release]
        world.releases[release] = replace(
            claim,
            terms=None,
            terms_state=claim.terms_state and replace(claim.terms_state, state="unavailable"),
        )
        # Unread terms hide a denial too: what was refused for it becomes unknown, and never allowed.
        assert world.judge(subject, asked).outcome != "allow"


@settings(max_examples=100, deadline=None)
@given(st.lists(steps, max_size=4), subjects, policies)
def test_evidence_without_the_relatives_never_allows_what_the_whole_does_not(
    history: list[Step], subject: Subject, asked: Policy
) -> None:
    world = World()
    add(world, TRUSTED, history, [])
    whole = world.evidence(subject, asked)
    cut = replace(whole, related={})
    if judge(subject, asked, cut).outcome == "allow":
        assert judge(subject, asked, whole).outcome == "allow"
