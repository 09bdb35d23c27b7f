"""Training data: what a publisher declares of it, data set by data set."""
