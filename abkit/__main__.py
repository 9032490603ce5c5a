"""`python -m abkit` is the `abkit` program."""

from abkit.cli import run

run()
