"""The tasks that worker.py runs: coroutines that take a payload and return an output. Both are what JSON can say; None is "no value"."""

import asyncio

# Workers with the same one run the same code: a commit, or a hash.
BUILD_ID = "example-1"


async def shout(text):
    return text.upper()


async def nap(seconds):
    await asyncio.sleep(seconds)
    return f"slept {seconds} s"


TASKS = {"shout": shout, "nap": nap}
