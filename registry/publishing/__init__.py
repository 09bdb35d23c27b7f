"""Publishing a release: planned in full before anything leaves the machine, then done so that it can be repeated.

`prepare` computes everything (the artifact, the documents, the record) and asks the chain only what is there already;
`execute` stores, then registers. The release id is known in advance and every step does nothing where its work is
done, so that after a crash between any two of them the same command finishes, and never registers twice.
"""

from registry.publishing.asked import Asked, check_asked, check_own_name, terms_document
from registry.publishing.declared import MAX_REASON
from registry.publishing.plan import Plan, prepare
from registry.publishing.steps import execute, keep

__all__ = [
    "MAX_REASON",
    "Asked",
    "Plan",
    "check_asked",
    "check_own_name",
    "execute",
    "keep",
    "prepare",
    "terms_document",
]
