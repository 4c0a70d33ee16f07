from collections.abc import Sequence

import pytest

from neuronspan_runtime import errors
from neuronspan_runtime.compiling import compiler_arguments


@pytest.mark.parametrize(
    ("given", "words", "cores"),
    [
        pytest.param(None, (), 1, id="nothing"),
        pytest.param([], (), 1, id="empty list"),
        pytest.param(["-O2"], ("-O2",), 1, id="something else"),
        pytest.param(["--neuroncore-pipeline-cores", "4"], ("--neuroncore-pipeline-cores", "4"), 4, id="two words"),
        pytest.param(["--neuroncore-pipeline-cores", 4], ("--neuroncore-pipeline-cores", "4"), 4, id="a number"),
        pytest.param(["--neuroncore-pipeline-cores=64"], ("--neuroncore-pipeline-cores=64",), 64, id="one word"),
        pytest.param("-O --neuroncore-pipeline-cores 3", ("-O", "--neuroncore-pipeline-cores", "3"), 3, id="one text"),
        pytest.param("--neuroncore-pipeline-cores 3 --neuroncore-pipeline-cores=2",
                     ("--neuroncore-pipeline-cores", "3", "--neuroncore-pipeline-cores=2"), 2, id="the last one wins"),
    ],
)  # fmt: skip
def test_pipeline_cores_are_read_from_the_compilers_arguments(
    given: str | Sequence[str] | None, words: Sequence[str], cores: int
) -> None:
    assert compiler_arguments.words(given) == words
    assert compiler_arguments.pipeline_cores(words) == cores


@pytest.mark.parametrize("value", ["0", "65", "-1", "two", "", None])
def test_pipeline_cores_refuse_a_number_the_hardware_does_not_have(value: str | None) -> None:
    with pytest.raises(errors.TraceRefused, match="is not a number from 1 to 64"):
        compiler_arguments.pipeline_cores(["--neuroncore-pipeline-cores", *([value] if value is not None else [])])
