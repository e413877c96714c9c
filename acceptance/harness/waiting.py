"""Waiting for a condition with a deadline. Nothing here measures how long anything took."""

import time

DEADLINE_SECONDS = 30
LOOK_SECONDS = 0.02


def eventually(condition, what, deadline=DEADLINE_SECONDS):
    """Returns the first truthy value of `condition()`; fails after `deadline` seconds."""
    until = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"still waiting after {deadline} s for {what}")
        time.sleep(LOOK_SECONDS)
