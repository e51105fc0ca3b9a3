"""Key pairs in files, and the list of those that are allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from schedule_zero.errors import ConfigError, HandlerUnavailable
from schedule_zero.security.allowed_keys import AllowedKey, AllowedKeys, allow_key, revoke_key
from schedule_zero.security.key_files import KeyPair, check_public, make_pair, read_pair, read_public, write_pair
from schedule_zero.security.private_files import write_private
from schedule_zero.security.server_keys import ServerKeys, handler_keys, server_keys
from schedule_zero.security.settings import SecuritySettings

pytestmark = pytest.mark.unit


def test_a_pair_is_read_back(tmp_path: Path) -> None:
    """Both halves survive the file, the secret one for its owner's eyes only."""
    pair = make_pair()
    write_pair(tmp_path, "h1", pair)

    assert read_pair(tmp_path, "h1") == pair
    assert read_public(tmp_path, "h1") == pair.public
    assert (tmp_path / "h1.key").stat().st_mode & 0o777 == 0o600


def test_a_secret_is_not_shown() -> None:
    """A pair in a log or a traceback tells no secret."""
    pair = make_pair()
    assert pair.secret not in repr(pair)
    assert pair.public in repr(pair)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a key file"),
        ("{}", "not a key file"),
        ('{"public": 1, "secret": 2}', "not a key file"),
        ('{"public": "short", "secret": "short"}', "not a key: expected 40 characters"),
        ('{"public": "P", "secret": "S", "more": 1}', "not a key file"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, text: str, message: str) -> None:
    """What is no key is refused with the file's name."""
    write_private(tmp_path / "h1.key", text)
    with pytest.raises(ConfigError, match=rf"h1\.key: {message}"):
        read_pair(tmp_path, "h1")


def test_halves_of_two_pairs_are_told(tmp_path: Path) -> None:
    """A public half that is not the secret one's would fail at every handshake, without a reason."""
    write_pair(tmp_path, "h1", KeyPair(make_pair().public, make_pair().secret))
    with pytest.raises(ConfigError, match="do not belong together"):
        read_pair(tmp_path, "h1")


def test_a_key_that_is_not_there_comes_with_the_command_that_makes_it(tmp_path: Path) -> None:
    """Nobody needs to look up what to do."""
    with pytest.raises(ConfigError, match="schedule-zero keys make h1`"):
        read_pair(tmp_path, "h1")
    with pytest.raises(ConfigError, match="schedule-zero keys make`"):
        ServerKeys(tmp_path)
    with pytest.raises(ConfigError, match=r"copy server\.pub"):
        read_public(tmp_path, "server")


@pytest.mark.parametrize("name", ["", "../h1", "a/b", ".h", "x" * 65, "a b"])
def test_a_name_cannot_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    """A key's name names a file, and no other."""
    with pytest.raises(ConfigError, match="key name"):
        read_pair(tmp_path, name)
    with pytest.raises(ConfigError, match="key name"):
        allow_key(tmp_path, name, make_pair().public, ("h1",))


@pytest.mark.parametrize("text", ["", "x", "x" * 39, "x" * 41, "~" * 40, "#" * 40])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    """Length, alphabet and range are checked before anything is allowed."""
    with pytest.raises(ConfigError, match="public key"):
        check_public(text)


def test_keys_are_allowed_for_ids_and_revoked_by_name(tmp_path: Path) -> None:
    """A key may be the handlers it is allowed for and no other; a revoked one may be nobody. No restart."""
    first, second = make_pair().public, make_pair().public
    allowed = AllowedKeys(tmp_path)
    assert allowed.all() == ()
    allow_key(tmp_path, "one", first, ("h1", "h2"))
    allow_key(tmp_path, "two", second, ("h2",))

    assert allowed.all() == (AllowedKey("one", first, ("h1", "h2")), AllowedKey("two", second, ("h2",)))
    assert [allowed.may_be(first, name) for name in ("h1", "h2", "h3")] == [True, True, False]
    assert [allowed.may_be(second, name) for name in ("h1", "h2")] == [False, True]
    assert allowed.keys_of("h2") == (first, second)

    revoke_key(tmp_path, "one")
    assert (allowed.is_allowed(first), allowed.is_allowed(second)) == (False, True)
    with pytest.raises(ConfigError, match="there is no key 'one'; there are: two"):
        revoke_key(tmp_path, "one")


def test_a_key_has_one_name(tmp_path: Path) -> None:
    """Else revoking one name would leave the key allowed under the other. The same name again replaces."""
    public = make_pair().public
    allow_key(tmp_path, "one", public, ("h1",))
    with pytest.raises(ConfigError, match="allowed already, as 'one'"):
        allow_key(tmp_path, "two", public, ("h2",))
    allow_key(tmp_path, "one", public, ("h2",))
    assert AllowedKeys(tmp_path).all() == (AllowedKey("one", public, ("h2",)),)


def test_a_list_that_others_may_write_is_none(folder: Path) -> None:
    """Whoever can write the list decides who gets in: nobody does, until that is cured."""
    keys = ServerKeys(folder)
    public = read_public(folder, "h1")
    assert keys.accepts(public)
    (folder / "allowed.json").chmod(0o666)
    with pytest.raises(ConfigError, match="chmod 600"):
        keys.accepts(public)
    with pytest.raises(HandlerUnavailable, match="chmod 600"):
        keys.to_handler("h1")


def test_the_server_calls_a_handler_under_the_key_it_registered_with(folder: Path) -> None:
    """Of two keys of one handler the one that was shown counts; one that was revoked never does."""
    keys = ServerKeys(folder)
    old, new = read_public(folder, "h1"), make_pair().public
    allow_key(folder, "h1-new", new, ("h1",))

    assert keys.to_handler("h1").peer == new
    keys.note("h1", old)
    assert keys.to_handler("h1").peer == old
    revoke_key(folder, "h1")
    assert keys.to_handler("h1").peer == new
    revoke_key(folder, "h1-new")
    with pytest.raises(HandlerUnavailable, match="'h1' has no key that is allowed"):
        keys.to_handler("h1")


def test_a_handler_trusts_its_server_alone(folder: Path) -> None:
    """A handler's list has one key, which is not its own."""
    keys = handler_keys(folder, "h1")
    assert keys.accepts(read_public(folder, "server"))
    assert not keys.accepts(read_public(folder, "h1"))


def test_without_a_setting_there_are_no_keys() -> None:
    """Nothing of CURVE is touched where nobody asked for it."""
    assert server_keys(SecuritySettings()) is None
