"""The SDK: a studio as an asynchronous object.

    from musicgen.client import Studio, specs

    async with Studio() as studio:
        job = await studio.run(specs.generate("calm piano", duration_s=60, seed=7))
        track = await studio.get_track(job.result.track_ids[0])
        await studio.run(specs.vary(track, {"lead": 8}))  # the same with another melody
        # or, with an engine that can: all the same but for what is from 12.5 to 20 s
        await studio.run(specs.regenerate(track, [(12.5, 20)], seed=8))
        # many at once, all accepted or none, when nothing more urgent waits
        accepted = await studio.batch_create(map(specs.generate, prompts), priority="low")
        ended = await studio.wait_all(accepted.job_ids, batch_ids=[accepted.batch.batch_id])

Results are the messages of the contract (`musicgen.api`); errors are those of
`musicgen.errors`.
"""

from musicgen.client import plans, specs, styles
from musicgen.client.address import Endpoint
from musicgen.client.saving import saving
from musicgen.client.studio import Studio
from musicgen.client.view import TERMINAL_STATES, Change, JobsView, Kind
from musicgen.client.watch import Update

__all__ = [
    "TERMINAL_STATES",
    "Change",
    "Endpoint",
    "JobsView",
    "Kind",
    "Studio",
    "Update",
    "plans",
    "saving",
    "specs",
    "styles",
]
