"""The images of a release are what their Dockerfiles build, as far as files can say."""

import pathlib

import pytest

from cluster import errors, layout, process
from releasing import twice
from releasing.images import debian, elf, oci_layout, python_images, runtime_image, trees

READELF = """
 0x0000000000000001 (NEEDED)             Shared library: [libtorch_cpu.so.2.6]
 0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]
 0x000000000000000e (SONAME)             Library soname: [libneuronspan.so]
"""
STARTS = {each.name: python_images.start_of(each, "1.2.3") for each in python_images.COMPONENTS}
STARTS[runtime_image.NAME] = runtime_image.start_of("1.2.3")


def dockerfile(name: str) -> str:
    return (layout.CHECKOUT / name / "Dockerfile").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", STARTS)
def test_image_starts_as_its_dockerfile_says(name: str) -> None:
    start, text = STARTS[name], dockerfile(name)
    words = ", ".join(f'"{word}"' for word in start.entrypoint or start.command)
    assert text.rstrip().endswith(f"{'ENTRYPOINT' if start.entrypoint else 'CMD'} [{words}]")
    assert f"USER {start.user}\n" in text
    path = {} if name != runtime_image.NAME else {"PATH"}  # Debian's own
    assert [f"{each}={value}" for each, value in start.environment.items() if each not in path] == [
        line.strip().removeprefix("ENV ").removesuffix(" \\")
        for line in text.splitlines()
        if (line.startswith(("ENV ", "    P")) and "PYTHON" in line) or line.startswith("ENV PATH")
    ]


@pytest.mark.parametrize("component", python_images.COMPONENTS, ids=lambda each: each.name)
def test_agents_find_bytecode_of_the_kind_that_they_ask_for(component: python_images.Component) -> None:
    asked = python_images.start_of(component, "1.2.3").environment["PYTHONOPTIMIZE"]
    compiling = [line for line in dockerfile(component.name).splitlines() if "-m compileall" in line]
    assert [line.rpartition(" ")[2] for line in compiling] == ["/usr/lib/python3*", "/opt/venv/lib", "/opt/neuronspan"]
    assert [f"-o {asked} " in line for line in compiling] == [True] * len(compiling)


def test_runtime_has_the_commands_of_its_dockerfile() -> None:
    text = dockerfile("runtime")
    for name, module in runtime_image.TOOLS.items():
        assert f"{name}={module}" in text or f"$directory/{name}" in text


def test_needed_libraries_are_read_from_readelf() -> None:
    assert elf.needed(READELF) == ("libtorch_cpu.so.2.6", "libc.so.6")


def test_image_without_a_library_that_it_needs_is_refused(tmp_path: pathlib.Path) -> None:
    modules = tmp_path / "usr/lib/python3/dist-packages"
    modules.mkdir(parents=True)
    (tmp_path / "usr/lib/x86_64-linux-gnu").mkdir()
    command = ["gcc", "-shared", "-nostdlib", "-x", "c", "-", "-o"]
    process.run(
        [*command, tmp_path / "usr/lib/x86_64-linux-gnu/libwhole.so"], timeout=60, stdin=b"int a(void){return 1;}"
    )
    linked: list[str | pathlib.Path] = ["-L", tmp_path / "usr/lib/x86_64-linux-gnu", "-lwhole", "-Wl,--no-as-needed"]
    process.run([*command, modules / "ours.so", *linked], timeout=60, stdin=b"int a(void); int b(void){return a();}")
    elf.require_complete((tmp_path,), "x86_64")
    (tmp_path / "usr/lib/x86_64-linux-gnu/libwhole.so").unlink()
    with pytest.raises(errors.ClusterError, match=r"libwhole\.so \(for ours\.so\)"):
        elf.require_complete((tmp_path,), "x86_64")


def test_torch_is_described_by_what_is_in_the_image(tmp_path: pathlib.Path) -> None:
    torch = tmp_path / runtime_image.TORCH
    (torch / "lib").mkdir(parents=True)
    (torch / "version.py").write_text("__version__ = '2.6.0+debian'\n", encoding="ascii")
    (torch / "lib/libtorch_cpu.so").symlink_to("../../../../aarch64-linux-gnu/libtorch_cpu.so.2.6")
    (tmp_path / "usr/lib/aarch64-linux-gnu").mkdir()
    (tmp_path / "usr/lib/aarch64-linux-gnu/libtorch_cpu.so.2.6").symlink_to("libtorch_cpu.so.2.6.0")
    build = runtime_image.build_of(tmp_path, "arm64", [debian.Package("libc6", "2.41-12+deb13u5", "arm64", "", "")])
    assert (build.version, build.soname) == ("2.6.0+debian", "libtorch_cpu.so.2.6.0")
    assert (build.machine, build.libc) == ("aarch64", "glibc 2.41")


def test_image_without_an_entrypoint_has_a_command_alone() -> None:
    config = oci_layout.config_of(oci_layout.Variant("arm64", ()), STARTS["runtime"], "2026-01-02T03:04:05Z")["config"]
    assert config["Cmd"] == ["python3"]
    assert "Entrypoint" not in config


def test_releases_that_differ_are_told_by_their_files() -> None:
    assert twice.differing({"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": "4"}) == ["b", "c"]


def test_tests_of_other_packages_go_and_the_program_that_torch_runs_stays(tmp_path: pathlib.Path) -> None:
    packages = tmp_path / "usr/lib/python3/dist-packages"
    names = ("torch/bin/torch_shm_manager", "torch/bin/test_jit", "sympy/core/tests/tests/a.py", "sympy/core/a.py")
    for name in names:
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).touch()
    trees.without_tests(tmp_path)
    assert {str(path.relative_to(packages)) for path in packages.rglob("*") if path.is_file()} == {
        "torch/bin/torch_shm_manager",
        "sympy/core/a.py",
    }
