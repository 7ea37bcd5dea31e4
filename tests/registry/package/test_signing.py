from datetime import timedelta

import pytest

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.package.inventory import verify_folder
from appliance.registry.package.signing import make_statement, sign_folder, sign_statement
from appliance.registry.package.statement import read_statement


def test_signing_again_leaves_the_older_signatures_out(package, publisher):
    folder, first = package
    again = publisher.sign(folder, release=13)
    assert again.digest == first.digest
    verify_folder(folder, again, [publisher.public])


def test_a_statement_by_two_keys(folder, publisher, stranger):
    """How a key is changed: both sign, until every box trusts the new one."""
    statement = publisher.state(folder)
    envelope = sign_statement(statement, publisher.key, stranger.key)
    assert read_statement(envelope, [publisher.public])[1] is publisher.public
    assert read_statement(envelope, [stranger.public])[1] is stranger.public


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        (Refusal.STATEMENT, {"release": 0}),
        (Refusal.STATEMENT, {"model": "no name"}),
        (Refusal.STATEMENT, {"lines": ()}),
        (Refusal.STATEMENT, {"min_appliance": "2 or newer"}),
        (Refusal.STATEMENT, {"notes": "x\ny"}),
        (Refusal.STATEMENT, {"revokes": ("v7",)}),
    ],
)
def test_a_publisher_hears_it_first(folder, publisher, reason, change):
    with pytest.raises(Rejected) as caught:
        publisher.state(folder, **change)
    assert caught.value.reason is reason


def test_an_end_before_its_beginning(folder, publisher):
    with pytest.raises(Rejected, match="expires is not after issued"):
        publisher.state(folder, expires=publisher.facts["issued"])


def test_a_fraction_of_a_second_is_dropped(folder, publisher):
    issued = publisher.facts["issued"] + timedelta(milliseconds=1)
    statement = make_statement(folder, **{**publisher.facts, "issued": issued})
    assert statement.issued == publisher.facts["issued"]


def test_a_folder_with_a_link_is_not_signed(folder, publisher, tmp_path):
    (folder / "more").symlink_to(tmp_path)
    for act in (lambda: publisher.state(folder), lambda: sign_folder(folder, publisher.key)):
        with pytest.raises(Rejected) as caught:
            act()
        assert caught.value.reason is Refusal.LINK
