"""What the Pub/Sub emulator forgot: jobs that were queued when the last stack stopped.

The cloud's Pub/Sub keeps messages; the emulator keeps nothing on disk. The job records know the message, letter for
letter, so it is published again; a job that was done after all just tells its outcome once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.validation import decode_json
from jobs.records import Queued, state_of

if TYPE_CHECKING:
    from jobs.places import Buckets
    from jobs.ports import ObjectStore, Publisher

__all__ = ["recover"]


def recover(store: ObjectStore, publisher: Publisher, buckets: Buckets) -> int:
    """Publish the message of every queued job again. Returns how many there were."""
    jobs: dict[str, set[str]] = {}
    for stat in store.list(buckets.jobs, ""):
        if not stat.name.startswith("~"):
            job, _, record = stat.name.rpartition("/")
            jobs.setdefault(job, set()).add(record.removesuffix(".json"))
    count = 0
    for job, records in jobs.items():
        if state_of(records).state != "queued":
            continue
        stored = store.read(buckets.jobs, f"{job}/queued.json")
        message = None if stored is None else decode_json(stored.data, Queued).message
        if message is not None:
            publisher.publish(message.topic, message.data.encode(), message.attributes)
            count += 1
    return count
