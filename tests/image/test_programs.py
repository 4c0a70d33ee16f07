"""The corpus of programs in the product's image: with Debian's torch 2.6 each computes what it does outside."""

import pathlib
import re
import sys

import pytest

from kits.programs import corpus
from kits.release import runtime_image

_PASSED = re.compile(r"^tests/programs/(\w+)/test_\w+\.py::\w+\[(\w+)\] PASSED", re.MULTILINE)


@pytest.mark.timeout(runtime_image.SECONDS)
def test_programs_compute_in_the_image_what_they_do_outside(
    packages: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without = corpus.left_out_of_the_image()
    folders = sorted({str(one.path.parent.relative_to(runtime_image.CHECKOUT)) for one in corpus.programs()})
    deselected = [
        f"--deselect=tests/programs/{folder}/test_{folder}.py::{TEST}[{name}]"
        for folder, name in (each.split("/") for each in without)
    ]
    output = runtime_image.run_pytest(
        packages, [*folders, "-v", "--noconftest", "-p", "kits.device.fixtures", *deselected]
    )
    with capsys.disabled():
        for name, reason in without.items():
            sys.stdout.write(f"\nleft out in the image: {name} {reason}")
        sys.stdout.write(f"\nprograms in the image: {output.strip().splitlines()[-1]}\n")
    passed = {f"{folder}/{name}" for folder, name in _PASSED.findall(output)}
    assert passed == {one.name for one in corpus.programs()} - set(without)


TEST = "test_program_computes_what_the_cpu_does_where_it_says"
"""The test of every folder, with a case for each program."""
