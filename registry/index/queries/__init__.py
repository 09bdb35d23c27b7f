"""What the index answers, all from one snapshot: records, their states and histories, and how far it has read.

A snapshot is one read transaction: every answer drawn from it is of one block, whatever the follower does meanwhile.
That is the newest block that was read, or an older one that the snapshot was asked for (`as_of`). Lists come in pages
by key (`Page`): what is added meanwhile moves nothing.
"""

from registry.index.queries.anchors import AnchorState
from registry.index.queries.base import Located, NotQuick, Page, chunks
from registry.index.queries.documents import Allowance, Documents
from registry.index.queries.history import EventKey
from registry.index.queries.lineage import Direction, Edge, EdgeKey, Graph
from registry.index.queries.models import Model
from registry.index.queries.progress import FollowerStatus, LogHead, State
from registry.index.queries.publishers import DelegateState, PublisherState
from registry.index.queries.releases import FileRow, StatusEvent
from registry.index.queries.snapshot import Reader, Snapshot
from registry.index.queries.statements import StatementState
from registry.index.queries.training import (
    DatasetRow,
    Declaration,
    Declarations,
    NamedDataset,
    TrainingCoverage,
)

__all__ = [
    "Allowance",
    "AnchorState",
    "DatasetRow",
    "Declaration",
    "Declarations",
    "DelegateState",
    "Direction",
    "Documents",
    "Edge",
    "EdgeKey",
    "EventKey",
    "FileRow",
    "FollowerStatus",
    "Graph",
    "Located",
    "LogHead",
    "Model",
    "NamedDataset",
    "NotQuick",
    "Page",
    "PublisherState",
    "Reader",
    "Snapshot",
    "State",
    "StatementState",
    "StatusEvent",
    "TrainingCoverage",
    "chunks",
]
