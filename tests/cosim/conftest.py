"""The seed of a test's stimuli: its name decides it, and whatever fails names it."""

from collections.abc import Generator

import pytest

from reports.verify import default_seed


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    number = default_seed(request.node.name)
    print(f"seed {number} of {request.node.name}")  # noqa: T201  # pytest shows it with a failure
    return number


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    try:
        return (yield)
    except AssertionError as error:
        if "seed" in getattr(item, "funcargs", {}):
            error.add_note(f"seed {item.funcargs['seed']}")
        raise
