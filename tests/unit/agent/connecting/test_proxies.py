"""Which proxy counts for which server, by the rules of Go's httpproxy."""

import pytest

from neuronspan_agent.connecting import proxies

PROXY = {"HTTPS_PROXY": "http://proxy:3128"}


@pytest.mark.parametrize(
    ("server", "exceptions"),
    [
        ("https://api.example.com", ""),
        ("https://api.example.com", "example.org, ,:443,/"),
        ("https://api.example.com", "api.example.com:8443"),
        ("https://example.com", ".example.com"),
        ("https://example.com", "*.example.com"),
        ("https://myexample.com", "example.com"),
        ("https://10.1.2.3", "10.0.0.0/16,10.1.2.4,1.2.3"),
        ("https://10.1.2.3:6443", "10.1.2.3:443"),
        ("https://10.1.2.3", "10.0.0.0/99"),
        ("https://api", "10.0.0.0/8"),
        ("https://[fd00::7]:6443", "fd01::/16,[fd00::7]:443"),
    ],
)
def test_server_is_behind_the_proxy(server: str, exceptions: str) -> None:
    assert proxies.of(server, PROXY | {"NO_PROXY": exceptions}) == "http://proxy:3128"


@pytest.mark.parametrize(
    ("server", "exceptions"),
    [
        ("https://api.example.com", "*"),
        ("https://api.example.com", "EXAMPLE.com"),
        ("https://example.com", "example.com"),
        ("https://api.example.com", ".example.com"),
        ("https://api.example.com", "*.example.com"),
        ("https://api.example.com", "api.example.com:443"),
        ("https://api.example.com:8443", "x, api.example.com:8443 "),
        ("https://10.1.2.3", "10.0.0.0/8"),
        ("https://10.1.2.3", "10.1.2.3"),
        ("https://10.1.2.3:6443", "10.1.2.3:6443"),
        ("https://[::ffff:10.1.2.3]", "10.0.0.0/8"),
        ("https://[fd00::7]:6443", "fd00::/8"),
        ("https://[fd00::7]:6443", "fd00::7"),
        ("https://[fd00::7]:6443", "[fd00::7]:6443"),
        ("https://localhost:6443", ""),
        ("https://127.1.2.3", ""),
        ("https://[::1]:6443", ""),
        ("http://api.example.com", ""),
    ],
)
def test_server_is_reached_directly(server: str, exceptions: str) -> None:
    assert proxies.of(server, PROXY | {"NO_PROXY": exceptions}) == ""


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({"https_proxy": "http://low"}, "http://low"),
        ({"https_proxy": "http://low", "HTTPS_PROXY": "http://up"}, "http://up"),
        ({"HTTPS_PROXY": "proxy:3128"}, "http://proxy:3128"),
        ({"HTTP_PROXY": "http://other", "ALL_PROXY": "http://all"}, ""),
        ({"HTTPS_PROXY": ""}, ""),
        ({"HTTPS_PROXY": "http://up", "no_proxy": "api"}, ""),
        ({"HTTPS_PROXY": "http://up", "no_proxy": "api", "NO_PROXY": "b"}, "http://up"),
    ],
)
def test_variables_in_upper_case_count_first(environment: dict[str, str], proxy: str) -> None:
    assert proxies.of("https://api", environment) == proxy
