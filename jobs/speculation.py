"""Jobs that nobody asked for, done in advance: quietly, and without outliving the photo's own jobs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from events.errors import MatteMissingError
from events.ids import content_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from events.envelope import Event
    from events.messages import JobRequested
    from jobs.desk import JobDesk
    from jobs.ports import Publisher
    from jobs.processing import Processor

__all__ = ["CostsOnly", "Speculation"]

_LOG: Final = logging.getLogger(__name__)


class CostsOnly:
    """A publisher for them: what they cost is recorded, nobody is told of a result."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> None:
        if topic == "costs":
            self._publisher.publish(topic, data, attributes)


class Speculation:
    """`desk` and `processor` publish by way of `CostsOnly`.

    While the job is under way its reference keeps the photo's results. Taking it back afterwards removes them all if
    the shopper has deleted the photo meanwhile.
    """

    def __init__(self, desk: JobDesk, processor: Processor) -> None:
        self._desk = desk
        self._processor = processor

    def process(self, event: Event[JobRequested]) -> None:
        """Return once it is done or given up. Whatever is raised means: deliver the message again later."""
        job = event.data
        try:
            self._processor.process(event)
        except MatteMissingError:
            _LOG.info("speculation_dropped", extra={"job_id": job.job_id, "tenant": job.tenant})
        content = content_id(self._desk.secret, job.tenant, job.sha256)
        self._desk.references.release(job.tenant, content, job.job_id)
