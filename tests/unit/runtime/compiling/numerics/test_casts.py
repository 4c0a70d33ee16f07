"""Which casts the options of both compilers ask for."""

import pytest

from neuronspan_runtime import errors
from neuronspan_runtime.compiling import compiler_arguments
from neuronspan_runtime.compiling.numerics import casts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "matmult-bf16"),
        ("-O2 --target=trn1", "matmult-bf16"),
        ("--auto-cast none", "None"),
        ("--auto-cast=none --auto-cast-type fp16", "None"),
        ("--auto-cast matmult", "matmult-bf16"),
        ("--auto-cast all", "all-bf16"),
        ("--auto-cast-type fp16", "matmult-fp16"),
        ("--auto-cast=all --auto-cast-type=tf32", "all-tf32"),
        ("--auto-cast all --auto-cast-type fp8_e4m3 --model-type transformer", "all-fp8_e4m3"),
        ("--auto-cast none --auto-cast all", "all-bf16"),
    ],
)
def test_auto_cast_of_neuronx_cc_says_what_is_cast(text: str, expected: str) -> None:
    assert str(casts.of_neuronx_cc(compiler_arguments.words(text))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "all-bf16"),
        ("--fast-math all", "all-bf16"),
        ("--fast-math none", "matmult-bf16"),
        ("--fast-math fp32-cast-matmult no-fast-relayout --neuroncore-pipeline-cores 2", "matmult-bf16"),
        ("'--fast-math' 'fp32-cast-matmult-fp16 no-fast-relayout'", "matmult-fp16"),
        ("--fast-math all fp32-cast-all-fp16", "all-fp16"),
        ("--fast-math none fp32-cast-matmult-bf16", "matmult-bf16"),
        ("--fast-math no-fast-relayout", "all-bf16"),
        ("--fp32-cast matmult-fp16 --fast-math all", "matmult-fp16"),
        ("--fp32-cast=all-fp16", "all-fp16"),
    ],
)
def test_fast_math_and_fp32_cast_of_neuron_cc_say_what_is_cast(text: str, expected: str) -> None:
    assert str(casts.of_neuron_cc(compiler_arguments.words(text))) == expected


@pytest.mark.parametrize(
    ("reader", "text", "message"),
    [
        (casts.of_neuronx_cc, "--auto-cast matmul", "--auto-cast matmul is not one of none, matmult, all"),
        (casts.of_neuronx_cc, "--auto-cast", r"--auto-cast \(nothing\) is not one of none, matmult, all"),
        (casts.of_neuronx_cc, "--auto-cast none --auto-cast-type int4",
         "--auto-cast-type int4 is not one of bf16, fp16, tf32, fp8_e4m3"),
        (casts.of_neuron_cc, "--fast-math quick", "--fast-math quick is not one of all, none, fp32-cast-all, .*"),
        (casts.of_neuron_cc, "--fp32-cast none", "--fp32-cast none is not one of all, all-fp16, matmult, .*"),
        (casts.of_neuron_cc, "--fast-math all none",
         "--fast-math has all and none, which exclude each other: give one"),
        (casts.of_neuron_cc, "--fast-math fp32-cast-all fp32-cast-matmult",
         "--fast-math has fp32-cast-all and fp32-cast-matmult, which exclude each other: give one"),
    ],
)  # fmt: skip
def test_casts_that_no_compiler_has_are_refused(reader: casts.Reader, text: str, message: str) -> None:
    with pytest.raises(errors.TraceRefused, match=f"^{message}$"):
        reader(compiler_arguments.words(text))
