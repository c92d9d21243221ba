"""Names that files fix: the first project has them, another one gets a suffix."""

from __future__ import annotations

from hyperbox.project import names

Json = dict[str, object]


def record(identifier: str, name: str, given: dict[str, str] | None = None) -> Json:
    return {"Id": identifier, "Name": name, "Names": given or {}}


def test_the_first_project_has_the_plain_name() -> None:
    assert names.settle(record("shop", "shop"), [], ["container/db"]) == {"container/db": "db"}


def test_another_folder_gets_its_own_suffix_and_another_project_its_id() -> None:
    first = record("shop", "shop", {"container/db": "db", "image/acme/app:1": "acme/app:1"})
    second = names.settle(record("shop-two", "shop"), [first], ["container/db", "image/acme/app:1", "volume/db"])
    assert second == {"container/db": "db-two", "image/acme/app:1": "acme/app-two:1", "volume/db": "db"}
    assert names.settle(record("blog", "blog"), [first], ["container/db"]) == {"container/db": "db-blog"}


def test_a_name_that_was_given_stays() -> None:
    kept = record("blog", "blog", {"container/db": "db-blog"})
    assert names.settle(kept, [], ["container/db"]) == {"container/db": "db-blog"}


def test_a_suffixed_name_that_is_taken_is_counted_on() -> None:
    others = [record("shop", "shop", {"container/db": "db"}), record("x", "x", {"container/db-blog": "db-blog"})]
    assert names.settle(record("blog", "blog"), others, ["container/db"]) == {"container/db": "db-blog-2"}


def test_down_gives_back_containers_and_networks_but_not_what_holds_data() -> None:
    given = {"container/db": "db", "network/n": "n", "volume/v": "v", "image/i": "i"}
    assert names.without_passing(given) == {"volume/v": "v", "image/i": "i"}
