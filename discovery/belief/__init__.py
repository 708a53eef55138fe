"""A belief is a set of competing hypotheses, each a bank of members weighted by exact evidence."""
