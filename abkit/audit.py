"""The record of decisions: append-only, chained by digest, and replayed."""
