"""Logs whose truth is known, and what a plan really does with them."""
