"""Hypothesis profiles: `ci` repeats the same examples on every run, `dev` looks for new ones."""

import os

from hypothesis import settings

# No deadline: the first call of a kernel compiles it.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))
