"""Conjugate posteriors, and which of several is largest: what Bayesian tests and Thompson sampling share."""
