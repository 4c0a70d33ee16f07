"""The committed stubs are what the .proto files say, and those say what kubelet does."""

import pathlib

import pytest

from neuronspan_deviceplugin import api
from neuronspan_deviceplugin.api import deviceplugin_pb2, generate, podresources_pb2

FOLDER = pathlib.Path(api.__file__).parent
STUBS = sorted(each.name for each in FOLDER.glob("*_pb2*"))


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    target = tmp_path_factory.mktemp("stubs")
    assert generate.generate(target) == 0
    return target / "neuronspan_deviceplugin" / "api"


def test_there_is_a_stub_of_each_kind_per_proto() -> None:
    assert len(STUBS) == 3 * len(generate.PROTOS)


@pytest.mark.parametrize("name", STUBS)
def test_stub_is_not_edited(generated: pathlib.Path, name: str) -> None:
    assert (FOLDER / name).read_text() == (generated / name).read_text()


def test_method_paths_are_kubelets() -> None:
    services = (
        *deviceplugin_pb2.DESCRIPTOR.services_by_name.values(),
        *podresources_pb2.DESCRIPTOR.services_by_name.values(),
    )
    assert {f"/{each.full_name}/{method.name}" for each in services for method in each.methods} == {
        "/v1beta1.Registration/Register",
        "/v1beta1.DevicePlugin/GetDevicePluginOptions",
        "/v1beta1.DevicePlugin/ListAndWatch",
        "/v1beta1.DevicePlugin/GetPreferredAllocation",
        "/v1beta1.DevicePlugin/Allocate",
        "/v1beta1.DevicePlugin/PreStartContainer",
        "/v1.PodResourcesLister/List",
        "/v1.PodResourcesLister/GetAllocatableResources",
        "/v1.PodResourcesLister/Get",
    }
