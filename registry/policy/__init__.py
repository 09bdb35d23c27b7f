"""Terms, policies and verdicts: pure functions of records as of a block."""
