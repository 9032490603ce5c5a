"""Property tests: no deadline, and the same examples on every run.

`pytest --hypothesis-profile=explore` looks further, at other examples each time; `quick` looks at fewer, where all
of them have been looked at already.
"""

from hypothesis import settings

settings.register_profile("abkit", deadline=None, derandomize=True, max_examples=30)
settings.register_profile("quick", deadline=None, derandomize=True, max_examples=15)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile("abkit")
