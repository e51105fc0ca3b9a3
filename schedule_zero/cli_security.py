"""``schedule-zero keys`` and ``schedule-zero tokens``: who may speak to a server.

Both change files only, which a running server reads again by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from schedule_zero.cli_support import deployment_options, guarded, json_option, show

__all__ = ["keys", "tokens"]


_MAKERS = ("make_keys", "add_token")
"""Commands after which something is to be configured."""


def _folder_option(command: Callable[..., Any]) -> Callable[..., Any]:
    about = "Folder of the keys [default: the deployment's security.keys, or keys beside its data]."
    return click.option("--keys", "folder", type=click.Path(path_type=Path), help=about)(
        deployment_options(guarded(_with_place(command, "folder", "keys", "keys")))
    )


def _file_option(command: Callable[..., Any]) -> Callable[..., Any]:
    about = "File of the tokens [default: the deployment's security.tokens, or tokens.json beside its data]."
    return click.option("--tokens", "file", type=click.Path(path_type=Path), help=about)(
        deployment_options(guarded(_with_place(command, "file", "tokens", "tokens.json")))
    )


def _with_place(command: Callable[..., Any], name: str, setting: str, usual: str) -> Callable[..., Any]:
    """``command`` with the place it works on, found by what was said about the deployment."""

    def run(*args: Any, deployment: str | None, config: Path | None, root: Path, **options: Any) -> Any:
        if options[name] is None:
            from schedule_zero.deployment import load_deployment

            loaded = load_deployment(deployment, config, root=root)
            configured = getattr(loaded.service.security, setting)
            options[name] = configured or (loaded.service.data_dir or loaded.directory) / usual
            if configured is None and run.__name__ in _MAKERS:
                _hint(setting, options[name])
        return command(*args, **options)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


def _hint(setting: str, place: Path) -> None:
    click.echo(
        f"the deployment does not use {place} yet: `security: {{{setting}: {place}}}` in its file, or "
        f"SCHEDULEZERO_{setting.upper()}_PATH={place}",
        err=True,
    )


@click.group()
def keys() -> None:
    """CURVE keys of the server and of its handlers."""


@keys.command("make")
@click.argument("handlers", nargs=-1, metavar="[HANDLER]...")
@click.option("--no-allow", is_flag=True, help="Only make the keys: the server is on another machine.")
@_folder_option
def make_keys(handlers: tuple[str, ...], no_allow: bool, folder: Path) -> None:
    """Make the server's key pair if there is none, and a pair for each HANDLER, which is allowed to be it.

    With --no-allow only the handlers' pairs are made; each public key is printed for `keys allow` on the server.
    """
    from schedule_zero.security.allowed_keys import allow_key
    from schedule_zero.security.key_files import SERVER, check_name, make_pair, write_pair

    wanted = [*([] if no_allow or (folder / f"{SERVER}.key").exists() else [SERVER]), *handlers]
    for name in wanted:
        _refuse_again(folder, check_name(name))
    for name in wanted:
        pair = make_pair()
        write_pair(folder, name, pair)
        if name != SERVER and not no_allow:
            allow_key(folder, name, pair.public, (name,))
        click.echo(f"{name} {pair.public}")


def _refuse_again(folder: Path, name: str) -> None:
    from schedule_zero.errors import ConfigError

    path = folder / f"{name}.key"
    if path.exists():
        raise ConfigError("there is such a key already: remove the file first to make another", file=str(path))


@keys.command("list")
@json_option
@_folder_option
def list_keys(as_json: bool, folder: Path) -> None:
    """Show the keys that the server lets in, and which handlers each may be."""
    from schedule_zero.security.allowed_keys import AllowedKeys

    rows = [
        {"name": key.name, "public": key.public, "handlers": ",".join(key.handlers)}
        for key in AllowedKeys(folder).all()
    ]
    show(rows, as_json, ("name", "public", "handlers"))


@keys.command("allow", context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("public")
@click.option("--handler", "handlers", multiple=True, help="Handler that it may be [default: NAME]; repeatable.")
@_folder_option
def allow(name: str, public: str, handlers: tuple[str, ...], folder: Path) -> None:
    """Let a key in, under NAME; PUBLIC is the key itself, in quotes, or a file that holds it (NAME.pub)."""
    from schedule_zero.security.allowed_keys import allow_key
    from schedule_zero.security.key_files import read_public

    file = Path(public)
    if file.suffix == ".pub":
        public = read_public(file.parent, file.stem)
    allow_key(folder, name, public, handlers or (name,))


@keys.command("revoke")
@click.argument("name")
@_folder_option
def revoke_a_key(name: str, folder: Path) -> None:
    """Let the key NAME in no longer; its handler gets no more work once its heartbeats have been refused."""
    from schedule_zero.security.allowed_keys import revoke_key

    revoke_key(folder, name)


@click.group()
def tokens() -> None:
    """Bearer tokens for the HTTP API."""


@tokens.command("add")
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(["read", "write", "admin"]),
    required=True,
    help="read looks; write also changes jobs and schedules; admin also restarts handlers and drops the log.",
)
@click.option("--expires", help="How long it counts, such as 90d or 12h [default: until it is revoked].")
@_file_option
def add_token(name: str, scope: str, expires: str | None, file: Path) -> None:
    """Make a token and print it: it is shown this once."""
    from schedule_zero.security import tokens as module
    from schedule_zero.security.scopes import Scope

    click.echo(module.add_token(file, name, Scope(scope), None if expires is None else _seconds(expires)))


def _seconds(text: str) -> float:
    from schedule_zero.config_source import parse_seconds
    from schedule_zero.errors import ConfigError

    seconds = parse_seconds(text)
    if seconds is None or not 0 < seconds < 100 * 365 * 86400:
        raise ConfigError(f"--expires: expected a length of time such as 90d or 12h, found {text!r}")
    return seconds


@tokens.command("list")
@json_option
@_file_option
def list_all(as_json: bool, file: Path) -> None:
    """Show the tokens by name; none of them can be read again."""
    from schedule_zero.security.tokens import list_tokens

    rows = [
        {
            "name": token.name,
            "scope": token.scope.value,
            "created": token.created.isoformat(timespec="seconds"),
            "expires": token.expires.isoformat(timespec="seconds") if token.expires else "never",
        }
        for token in list_tokens(file)
    ]
    show(rows, as_json, ("name", "scope", "created", "expires"))


@tokens.command("revoke")
@click.argument("name")
@_file_option
def revoke(name: str, file: Path) -> None:
    """Make the token NAME count no more, from the next request on."""
    from schedule_zero.security.tokens import revoke_token

    revoke_token(file, name)
