"""From a decision to what each deployer reads: pure functions, one contract a file."""

from abkit.hooks._reply import Reply as Reply
