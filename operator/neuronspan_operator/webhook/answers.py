"""What each path of the webhook answers, counted.

Law: a review that cannot be read is 400 and a sentence. An error of ours is 500: then the API server does what the
failurePolicy says, which is written beside the webhook, and the error is logged once.
"""

import http
import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from neuronspan_agent.serving import posts
from neuronspan_operator import errors, metrics, reasons
from neuronspan_operator.admission import answering
from neuronspan_operator.webhook import reviews

_log = logging.getLogger(__name__)

MUTATE = "/mutate"
VALIDATE = "/validate"

_Decide = Callable[[Mapping[str, Any], answering.Settings], answering.Answer]


class Answers:
    """Answers reviews as ``admission`` decides with these settings."""

    def __init__(self, settings: answering.Settings, meters: metrics.Metrics) -> None:
        self._settings = settings
        self._meters = meters
        self._known_bugs: set[str] = set()

    def paths(self) -> Mapping[str, posts.Post]:
        """Return what answers under each path."""
        deciding: dict[str, _Decide] = {MUTATE: answering.mutate, VALIDATE: answering.validate}
        return {path: self._post(path, decide) for path, decide in deciding.items()}

    def _post(self, path: str, decide: _Decide) -> posts.Post:
        name = path.removeprefix("/")

        def post(body: bytes) -> posts.Answer:
            started = time.monotonic()
            outcome, answer = self._answer(name, decide, body)
            self._meters.reviews.labels(name, outcome).inc()
            self._meters.review_seconds.labels(name).observe(time.monotonic() - started)
            return answer

        return post

    def _answer(self, name: str, decide: _Decide, body: bytes) -> tuple[reasons.ReviewOutcome, posts.Answer]:
        try:
            request = reviews.read(body)
        except errors.BrokenReview as error:
            return reasons.ReviewOutcome.BROKEN, _sentence(http.HTTPStatus.BAD_REQUEST, str(error))
        try:
            answer = decide(request, self._settings)
            text = reviews.written(request, answer)
        except Exception as bug:  # noqa: BLE001 - whatever it is, the failurePolicy says what becomes of the object
            self._tell(name, bug)
            sentence = f"neuronspan cannot answer because of an error of its own, {bug!r}: see the operator's log"
            return reasons.ReviewOutcome.FAILED, _sentence(http.HTTPStatus.INTERNAL_SERVER_ERROR, sentence)
        return _outcome(answer), posts.Answer(http.HTTPStatus.OK, text, "application/json")

    def _tell(self, name: str, bug: Exception) -> None:
        """Log an error once: the next pod of a Deployment would bring it again, and so on."""
        trace = bug.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{type(bug).__name__} {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else repr(bug)
        if place not in self._known_bugs:
            self._known_bugs.add(place)
            _log.error("a review was not answered", extra={"webhook": name, "error": repr(bug)}, exc_info=bug)


def _outcome(answer: answering.Answer) -> reasons.ReviewOutcome:
    if not answer.allowed:
        return reasons.ReviewOutcome.REFUSED
    return reasons.ReviewOutcome.CHANGED if answer.patch else reasons.ReviewOutcome.ALLOWED


def _sentence(status: http.HTTPStatus, text: str) -> posts.Answer:
    """Return a Status, whose message an API server shows as it is."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": int(status), "message": text}
    return posts.Answer(status, json.dumps(body).encode(), "application/json")
