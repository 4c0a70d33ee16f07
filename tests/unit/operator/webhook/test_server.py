"""One replica's webhook: when it can answer, and that it goes on for a while when its process is told to end."""

import asyncio
import base64
import datetime as dt
import pathlib
import ssl

import aiohttp
import pytest

from kits.embedded import in_memory
from neuronspan_agent import resources
from neuronspan_operator import config, metrics
from neuronspan_operator.webhook import issuing, server

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def webhook(*flags: str, kube: in_memory.ApiServer | None = None, now: dt.datetime = NOW) -> server.Webhook:
    settings = config.load(["--webhook-port=0", *flags], {})
    return server.Webhook(settings, kube or in_memory.ApiServer(), metrics.Metrics(), now=lambda: now)


def seconds() -> float:
    return asyncio.get_running_loop().time()


async def test_it_has_a_problem_until_it_has_a_certificate(tmp_path: pathlib.Path) -> None:
    made = issuing.issue("x", ["a"], NOW)
    replica = webhook(f"--webhook-certificates={tmp_path}", "--webhook-drain-seconds=0")
    async with replica.serving():
        assert replica.port
        keeping = asyncio.create_task(replica.keep())
        await asyncio.sleep(1)
        assert "tls.crt" in replica.problem
        (tmp_path / "tls.crt").write_text(made.certificate)
        (tmp_path / "tls.key").write_text(made.key)
        await asyncio.sleep(60)
        assert replica.problem == ""
        keeping.cancel()
        await asyncio.wait({keeping})


async def test_it_has_a_problem_while_its_secret_cannot_be_kept() -> None:
    replica = webhook("--webhook-drain-seconds=0")
    async with replica.serving():
        keeping = asyncio.create_task(replica.keep())
        await asyncio.sleep(1)
        assert "the certificate cannot be kept" in replica.problem  # there are no configurations
        keeping.cancel()
        await asyncio.wait({keeping})


async def test_it_serves_on_after_an_end_in_peace() -> None:
    replica = webhook("--webhook-drain-seconds=7")
    async with replica.serving():
        asked = seconds()
    assert seconds() - asked >= 7


async def test_it_ends_at_once_with_an_error() -> None:
    replica, asked = webhook("--webhook-drain-seconds=7"), seconds()
    with pytest.raises(KeyError):
        async with replica.serving():
            raise KeyError
    assert seconds() - asked < 7


async def test_it_answers_over_https_under_the_name_of_its_service() -> None:
    kube = in_memory.ApiServer()
    for resource in (resources.MUTATING_WEBHOOKS, resources.VALIDATING_WEBHOOKS):
        manifest = {"metadata": {"name": "neuronspan-webhook"}, "webhooks": [{"name": "a", "clientConfig": {}}]}
        kube.put(resource, manifest)
    pod = {"metadata": {"annotations": {"neuronspan.dev/cores": "2"}}, "spec": {"containers": [{"name": "app"}]}}
    request = {"uid": "u", "operation": "CREATE", "kind": {"group": "", "kind": "Pod"}, "object": pod}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    replica = webhook("--webhook-drain-seconds=0", kube=kube, now=dt.datetime.now(dt.UTC))
    async with replica.serving():
        keeping = asyncio.create_task(replica.keep())
        await asyncio.sleep(1)
        bundle = kube.all(resources.MUTATING_WEBHOOKS)[0]["webhooks"][0]["clientConfig"]["caBundle"]
        trusting = ssl.create_default_context(cadata=base64.b64decode(bundle).decode())
        url = f"https://127.0.0.1:{replica.port}/mutate?timeout=10s"
        name = "neuronspan-webhook.default.svc"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, json=review, ssl=trusting, server_hostname=name) as answer,
        ):
            response = (await answer.json())["response"]
        keeping.cancel()
        await asyncio.wait({keeping})
    assert (response["uid"], response["allowed"], response["patchType"]) == ("u", True, "JSONPatch")
