from cluster import loading

IDENTITIES = {"operator:1": "sha256:aa", "plugin:1": "sha256:bb"}


def test_nodes_that_lack_the_same_images_get_them_in_one_archive() -> None:
    present = {"worker": frozenset({"sha256:ff"}), "worker2": frozenset[str]()}
    assert loading.lacks(present, IDENTITIES) == {("worker", "worker2"): ("operator:1", "plugin:1")}


def test_node_that_has_some_images_gets_only_the_others() -> None:
    present = {"worker": frozenset({"sha256:aa"}), "worker2": frozenset[str]()}
    assert loading.lacks(present, IDENTITIES) == {("worker",): ("plugin:1",), ("worker2",): ("operator:1", "plugin:1")}


def test_image_of_the_same_name_and_other_content_is_lacking() -> None:
    present = {"worker": frozenset({"docker.io/library/operator:1", "sha256:00", "sha256:bb"})}
    assert loading.lacks(present, IDENTITIES) == {("worker",): ("operator:1",)}


def test_nothing_is_imported_where_all_images_are() -> None:
    assert loading.lacks({"worker": frozenset(IDENTITIES.values())}, IDENTITIES) == {}
