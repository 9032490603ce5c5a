"""Property tests: no deadline, and the same examples on every run.

`pytest --hypothesis-profile=explore` looks further, at other examples each time.
"""

from hypothesis import settings

settings.register_profile("abkit", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile("abkit")
