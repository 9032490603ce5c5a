"""What can go wrong, one class a cause. A message names what is wrong and what to do."""


class AbkitError(Exception):
    """Base of every error that abkit raises on purpose."""


class PlanError(AbkitError, ValueError):
    """The plan, or a command line, asks for something that does not exist or contradicts itself."""


class DataError(AbkitError, ValueError):
    """The log, or the statistics made from it, cannot answer what the plan asks."""


class MissingDependencyError(AbkitError, ImportError):
    """An optional package is needed; the message says what to install."""


class AccuracyWarning(UserWarning):
    """With data like these the error rate may miss its nominal level; the message names what to use instead."""
