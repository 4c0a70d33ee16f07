"""Which images of the product are kept."""

import pytest

from cluster import engine_images, errors, product_images

OLD, OLDER, NEW = (
    "neuronspan/operator:aaaaaaaaaaaa",
    "neuronspan/operator:bbbbbbbbbbbb",
    "neuronspan/operator:cccccccccccc",
)
MADE = {
    NEW: "2026-01-03 10:00:00 +0000 UTC",
    OLD: "2026-01-02 10:00:00 +0000 UTC",
    OLDER: "2026-01-01 10:00:00 +0000 UTC",
}


def test_current_image_and_the_newest_other_one_stay() -> None:
    assert product_images.superseded(MADE, NEW) == (OLDER,)
    assert product_images.superseded(MADE, OLDER) == (OLD,), "another checkout may be at work with the newest one"


@pytest.mark.parametrize(
    "name",
    [
        "neuronspan/operator:0.1.0",
        "neuronspan/operator:latest",
        "neuronspan/operator:dddddddddddd-mine",
        "neuronspan/operator:DDDDDDDDDDDD",
        "neuronspan/operator:<none>",
        "neuronspan/operator-of-mine:dddddddddddd",
        "neuronspan/runtime:dddddddddddd",
        "somebody/operator:dddddddddddd",
    ],
)
def test_names_that_are_not_by_content_of_this_image_stay(name: str) -> None:
    made = {**MADE, name: "2020-01-01 10:00:00 +0000 UTC"}
    assert product_images.superseded(made, NEW) == (OLDER,)


@pytest.mark.parametrize("made", [{}, {NEW: MADE[NEW]}, {NEW: MADE[NEW], OLD: MADE[OLD]}], ids=["0", "1", "2"])
def test_nothing_goes_while_there_is_no_third_image(made: dict[str, str]) -> None:
    assert product_images.superseded(made, NEW) == ()


def test_pruning_takes_names_away_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    taken: list[str] = []
    monkeypatch.setattr(
        engine_images, "names_of", lambda repository: MADE if repository == "neuronspan/operator" else {}
    )
    monkeypatch.setattr(engine_images, "untag", taken.extend)
    product_images._prune(NEW)
    assert taken == [OLDER]
    assert f"removed {OLDER}" in "".join(capsys.readouterr())


def test_image_in_use_stays_and_stops_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: tuple[str, ...]) -> None:
        raise errors.CommandFailed("docker image rm", 1, "image is being used by running container 12ab")

    monkeypatch.setattr(engine_images, "names_of", lambda _: MADE)
    monkeypatch.setattr(engine_images, "untag", refuse)
    product_images._prune(NEW)
    assert "being used" in "".join(capsys.readouterr())


def test_every_image_is_built_in_one_of_the_rows() -> None:
    built = [name for row in product_images.SIDE_BY_SIDE for name in row]
    assert sorted(built) == sorted(image.name for image in product_images.IMAGES)
