"""The whole system as plain dictionaries: what each action must do, or be refused with, at a time.

Written from the interfaces' words. Addresses are lower-case hex, as `eth_abi` decodes them; ids are bytes.
"""

from dataclasses import dataclass, field

from attacks.world import (
    ACTIVE,
    ALLOWED,
    DAY,
    DENIED,
    FOREVER,
    GRANT,
    PUBLISH,
    REVOKED,
    STATEMENT,
    STATUS,
    ZERO,
    ZERO_ADDRESS,
)

WEEK = 7 * DAY


@dataclass
class Model:
    """Each action returns the name of the error that it must be refused with, or None and has then been done."""

    sizes: dict = field(default_factory=lambda: dict.fromkeys(("publishers", "models", "licenses", "statements"), 0))
    used: set = field(default_factory=set)  # (registry, actor, nonce)
    freezes: dict = field(default_factory=dict)  # publisher -> (successor, frozenAt, compromisedSince)
    delegations: dict = field(default_factory=dict)  # (publisher, delegate) -> (scopes, expires, seq, since)
    guardians: dict = field(default_factory=dict)  # publisher -> [(guardian, named, from)], in order
    releases: dict = field(default_factory=dict)  # id -> record
    statuses: dict = field(default_factory=dict)  # id -> (status, reason, seq, since)
    claims: dict = field(default_factory=dict)  # artifact -> (publisher, seq, since)
    reservations: dict = field(default_factory=dict)  # commitment -> since
    anchors: dict = field(default_factory=dict)  # id -> [actor, seq, since, withdrawnAt]
    terms: dict = field(default_factory=dict)  # id -> (uses, seq, since)
    # (release id, grantee) -> (uses, from, until, irrevocable, revision, since)
    grants: dict = field(default_factory=dict)
    statements: dict = field(default_factory=dict)  # id -> [issuer, since, expires]

    def append(self, registry):
        self.sizes[registry] += 1
        return self.sizes[registry] - 1

    def signed(self, registry, actor, nonce, deadline, genuine, now):
        """What a signature is refused for."""
        if now > deadline:
            return "SignatureExpired"
        if not genuine:
            return "InvalidSignature"
        return "NonceUsed" if (registry, actor, nonce) in self.used else None

    def authority(self, publisher, actor, scope, now):
        if publisher in self.freezes:
            return "FrozenPublisher"
        if actor == publisher:
            return None
        scopes, expires, *_ = self.delegations.get((publisher, actor), (0, 0))
        if not scopes & scope or now >= expires:
            return "NotAuthorised"
        return "FrozenPublisher" if actor in self.freezes else None

    def trusted_until(self, publisher):
        return self.freezes[publisher][2] if publisher in self.freezes else FOREVER

    # Publishers.

    def set_delegate(self, actor, now, delegate, scopes, expires):
        if actor in self.freezes:
            return "FrozenPublisher"
        ends = scopes == 0 and expires == 0
        begins = 0 < scopes < 16 and expires > now and delegate != actor
        if delegate == ZERO_ADDRESS or not (ends or begins):
            return "InvalidDelegate"
        self.delegations[actor, delegate] = (scopes, expires, self.append("publishers"), now)
        return None

    def guardian(self, publisher, now):
        """The guardian at a time and when it was named, and the change under way then: who, and from when."""
        line = self.guardians.get(publisher, [(ZERO_ADDRESS, 0, 0)])
        current, named, _ = [entry for entry in line if entry[2] <= now][-1]
        coming = [(guardian, begins) for guardian, _, begins in line if begins > now]
        return (current, named, *(coming[0] if coming else (ZERO_ADDRESS, 0)))

    def set_guardian(self, actor, now, guardian):
        if actor in self.freezes:
            return "FrozenPublisher"
        if guardian == actor:
            return "InvalidGuardian"
        current, named, *_ = self.guardian(actor, now)
        self.guardians[actor] = [(ZERO_ADDRESS, 0, 0), (current, named, now)]
        if guardian != current:
            self.guardians[actor].append((guardian, now, now if current == ZERO_ADDRESS else now + WEEK))
        self.append("publishers")
        return None

    def freeze(self, actor, now, publisher, successor, compromised_since):
        guardian, named, *_ = self.guardian(publisher, now)
        if actor not in (publisher, guardian):
            return "NotAuthorised"
        _, frozen_at, trusted = self.freezes.get(publisher, (ZERO_ADDRESS, 0, FOREVER))
        if frozen_at and (actor == publisher or compromised_since > trusted or frozen_at < named + WEEK):
            return "FrozenPublisher"
        if actor != publisher and actor in self.freezes:
            return "FrozenPublisher"
        if successor == publisher:
            return "InvalidSuccessor"
        if compromised_since > now:
            return "InvalidTime"
        self.freezes[publisher] = (successor, frozen_at or now, compromised_since)
        self.guardians[publisher] = [(ZERO_ADDRESS, 0, 0), (guardian, named, now)]
        self.append("publishers")
        return None

    # Releases.

    def reserve(self, _, now, commitment):
        self.reservations.setdefault(commitment, now)

    def publish(self, actor, now, identity, release, commitment):
        """`commitment` is that of the salt given, or None."""
        refused = self.authority(release[0], actor, PUBLISH, now)
        if refused:
            return refused
        since = now
        if commitment is not None:
            since = self.reservations.get(commitment, 0)
            if since == 0:
                return "UnknownReservation"
            if since == now:
                return "ReservationTooNew"
            if now > since + DAY:
                return "ReservationExpired"
        return self._record(actor, now, identity, release, since)

    def _record(self, actor, now, identity, release, since):
        previous = (ZERO, 0)
        for parent in release[7]:
            if parent[0] not in self.releases:
                return "UnknownRelease"
            if parent[1] == 0:
                return "InvalidRelation"
            if parent <= previous:
                return "ParentsNotSorted"
            previous = parent
        if identity in self.releases:
            return "VersionExists"
        seq = self.append("models")
        self.releases[identity] = (seq, now, actor, since, release)
        if release[3] not in self.claims or since < self.claims[release[3]][2]:
            self.claims[release[3]] = (release[0], seq, since)
        return None

    def set_status(self, actor, now, identity, publisher, status, reason, successor):
        """`successor` is an id, or None."""
        refused = self.authority(publisher, actor, STATUS, now)
        if refused:
            return refused
        if identity not in self.releases:
            return "UnknownRelease"
        current = self.statuses.get(identity, (ACTIVE,))[0]
        if current == REVOKED:
            return "ReleaseRevoked"
        if current == status:
            return "StatusUnchanged"
        if successor is not None and (status == ACTIVE or successor == identity or successor not in self.releases):
            return "InvalidSuccessor"
        self.statuses[identity] = (status, reason, self.append("models"), now)
        return None

    def publish_anchor(self, actor, now, identity, publisher):
        refused = self.authority(publisher, actor, PUBLISH, now)
        if refused:
            return refused
        if identity in self.anchors:
            return "AnchorExists"
        self.anchors[identity] = [actor, self.append("models"), now, 0]
        return None

    def live(self, identity):
        if identity not in self.anchors:
            return "UnknownAnchor"
        return "WithdrawnAnchor" if self.anchors[identity][3] else None

    def withdraw_anchor(self, actor, now, identity, publisher):
        refused = self.authority(publisher, actor, STATUS, now) or self.live(identity)
        if not refused:
            self.append("models")
            self.anchors[identity][3] = now
        return refused

    def promote(self, _, now, anchor_id, publisher, included, identity, release):
        """`included` says whether the proof given is the leaf's."""
        refused = self.live(anchor_id)
        if refused:
            return refused
        if not included or release[0] != publisher:
            return "NotInAnchor"
        actor, _, since, _ = self.anchors[anchor_id]
        if publisher in self.freezes or since > self.trusted_until(actor):
            return "FrozenPublisher"
        return self._record(actor, now, identity, release, now)

    def verify_anchored(self, anchor_id, publisher, included, identity, release):
        """Why an anchored release is none, or None."""
        refused = self.live(anchor_id)
        if not refused and (not included or release[0] != publisher):
            refused = "NotInAnchor"
        return refused or ("VersionExists" if identity in self.releases else None)

    # Licences.

    def register_terms(self, _, now, terms, uses):
        if uses >= 1 << 12:
            return "InvalidUses"
        if terms in self.terms:
            return "TermsExist"
        self.terms[terms] = (uses, self.append("licenses"), now)
        return None

    def set_grant(self, actor, now, identity, grant):
        publisher, _, _, grantee, uses, start, until, irrevocable = grant
        refused = self.authority(publisher, actor, GRANT, now)
        if refused:
            return refused
        if uses >= 64:
            return "InvalidUses"
        takes_back = (uses, start, until, irrevocable) == (0, 0, 0, False)
        gives = uses and start < until and until > now
        if not (takes_back or gives):
            return "InvalidGrant"
        if identity not in self.releases:
            return "UnknownRelease"
        had = self.grants.get((identity, grantee), (0, 0, 0, False, 0, 0))
        if had[:4] == (uses, start, until, irrevocable):
            return "GrantUnchanged"
        if had[3] and now < had[2]:
            # Every second from now on, and every use, that was promised must still be.
            narrower = not irrevocable or had[0] & ~uses or max(start, now) > max(had[1], now) or until < had[2]
            if narrower:
                return "IrrevocableGrant"
        self.append("licenses")
        self.grants[identity, grantee] = (uses, start, until, irrevocable, had[4] + 1, now)
        return None

    def permission(self, identity, account, use, at):
        record = self.releases[identity]
        trusted = self.trusted_until(record[4][0])
        if self.statuses.get(identity, (ACTIVE,))[0] == REVOKED or record[1] > trusted:
            return DENIED
        state = self.terms.get(record[4][5], (0,))[0] >> 2 * use & 3
        for grantee in (account, ZERO_ADDRESS):
            uses, start, until, _, _, since = self.grants.get((identity, grantee), (0, 0, 0, False, 0, 0))
            if uses >> use & 1 and start <= at < until and since <= trusted:
                state = ALLOWED
        return state

    # Statements.

    def attest(self, actor, now, identity, statement):
        issuer, kind, subject_kind, subject, document, expires = statement
        refused = self.authority(issuer, actor, STATEMENT, now)
        if refused:
            return refused
        if not kind or not subject_kind or subject == ZERO or document == ZERO or expires <= now:
            return "InvalidStatement"
        if identity in self.statements:
            return "StatementExists"
        self.append("statements")
        self.statements[identity] = [issuer, now, expires]
        return None

    def retract(self, actor, now, identity):
        if identity not in self.statements:
            return "UnknownStatement"
        issuer, _, expires = self.statements[identity]
        if expires == 0:
            return "StatementIsRetracted"
        refused = self.authority(issuer, actor, STATEMENT, now)
        if not refused:
            self.append("statements")
            self.statements[identity][2] = 0
        return refused

    def is_in_force(self, identity, at):
        issuer, since, expires = self.statements.get(identity, (ZERO_ADDRESS, 0, 0))
        return at < expires and since <= self.trusted_until(issuer)
