"""${message}."""

import sqlalchemy as sa
from alembic import op

${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
READS_THE_CHAIN_AGAIN = True
"""False where all that changes is folded from the events, or filled here from what is there."""


def upgrade() -> None:
    """To this form."""
    ${upgrades if upgrades else "pass"}
