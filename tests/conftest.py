"""Property tests: no deadline, and the same examples on every run."""

from hypothesis import settings

settings.register_profile("abkit", deadline=None, derandomize=True)
settings.load_profile("abkit")
