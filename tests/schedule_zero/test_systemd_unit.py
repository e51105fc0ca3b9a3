"""The systemd unit: what it says, that its words survive systemd's parser, where it is written."""

from __future__ import annotations

import configparser
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from schedule_zero.cli import main
from schedule_zero.deployment import Deployment, load_deployment
from schedule_zero.systemd_unit import UnitOptions, install_unit, unit_path, unit_text

pytestmark = pytest.mark.governor


@pytest.fixture
def shop(tmp_path: Path) -> Deployment:
    """A deployment whose folder needs every kind of quoting."""
    root = tmp_path / "50% of my $HOME"
    root.mkdir()
    return load_deployment("shop", env={}, root=root)


def read(text: str) -> configparser.ConfigParser:
    """A unit is an ini file with names that keep their case."""
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(text)
    return parser


def test_it_runs_this_interpreter_and_waits_for_ready(shop: Deployment) -> None:
    """Type=notify with a watchdog; only the governor gets SIGTERM; what cannot get better is not restarted."""
    unit = read(unit_text(shop, UnitOptions(stop_timeout=20.0, watchdog=12.0)))
    service: Any = dict(unit["Service"])

    said = service["ExecStart"].replace("$$", "$").replace("%%", "%")
    assert shlex.split(said) == [
        *(sys.executable, "-m", "schedule_zero.cli", "governor", "start", "--deployment", "shop"),
        *("--root", str(shop.root), "--stop-timeout", "20"),
    ]
    assert (service["Type"], service["NotifyAccess"], service["KillMode"]) == ("notify", "main", "mixed")
    assert (service["WatchdogSec"], service["TimeoutStopSec"], service["TimeoutStartSec"]) == ("12", "35", "35")
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("on-failure", "2 5")
    assert unit["Install"]["WantedBy"] == "default.target"
    assert "User" not in service


def test_a_unit_of_the_machine_has_an_account_and_less_rights(shop: Deployment) -> None:
    """--system: another folder, another target, an account, and no way to more rights."""
    options = UnitOptions(user=False, run_as="scheduler")
    unit = read(unit_text(shop, options))

    assert unit_path(shop, options) == Path("/etc/systemd/system/schedule-zero-shop.service")
    assert unit["Install"]["WantedBy"] == "multi-user.target"
    assert (unit["Service"]["User"], unit["Service"]["NoNewPrivileges"]) == ("scheduler", "yes")


def test_it_is_written_where_systemd_looks(
    shop: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """install writes what show prints, below XDG_CONFIG_HOME, and says how to enable it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    words = ["--deployment", "shop", "--root", str(shop.root)]

    shown = CliRunner().invoke(main, ["systemd", "show", *words])
    done = CliRunner().invoke(main, ["systemd", "install", *words])

    path = tmp_path / "config/systemd/user/schedule-zero-shop.service"
    assert (shown.exit_code, done.exit_code) == (0, 0), done.output
    assert path.read_text() == shown.output
    assert done.output == (
        f"wrote {path}\n"
        "now: systemctl --user daemon-reload && systemctl --user enable --now schedule-zero-shop.service\n"
    )


def test_a_folder_that_cannot_be_written_is_one_line(shop: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """What to do is in the error."""
    monkeypatch.setenv("XDG_CONFIG_HOME", "/dev/null")
    result = CliRunner().invoke(main, ["systemd", "install", "--deployment", "shop", "--root", str(shop.root)])

    assert result.exit_code == 1
    assert result.output.startswith("schedule-zero: cannot write /dev/null/systemd/user/schedule-zero-shop.service: ")


def test_the_home_folder_is_the_usual_place(shop: Deployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without XDG_CONFIG_HOME it is ~/.config; the configuration file is named in the command."""
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "shop.yaml").write_text("governor: {ready_timeout: 1min}")
    loaded = load_deployment("shop", tmp_path / "shop.yaml", env={}, root=shop.root)

    path = install_unit(loaded, UnitOptions())

    assert path == tmp_path / ".config/systemd/user/schedule-zero-shop.service"
    service = read(path.read_text())["Service"]
    assert service["ExecStart"].endswith(f"--config {tmp_path}/shop.yaml")
    assert service["TimeoutStartSec"] == "75"
