"""What is looked at before anything of a deployment is started, and thus before anything is written."""

from __future__ import annotations

from pathlib import Path

from schedule_zero.deployment import Deployment
from schedule_zero.errors import ConfigError
from schedule_zero.own_files import Place, require_other_file
from schedule_zero.registry_file import require_registry

__all__ = ["require_startable"]


def require_startable(deployment: Deployment, runtime_file: Path | None = None) -> None:
    """Raise ConfigError for a `registry` that is somebody else's file, with the place of the setting, and for a
    `runtime_file` that is one of the deployment's.

    Not part of `load_deployment`: what is wrong with a file must not keep a governor from being asked or stopped.
    """
    service = deployment.service
    if runtime_file is not None:
        place = Place("--runtime-file")
        require_other_file(place, runtime_file, service, deployment.directory, deployment.config_path)
    if service.registry_path is None:
        return
    try:
        require_registry(service.registry_path)
    except ConfigError as error:
        raise deployment.places.get("registry", Place("registry")).error(str(error)) from error
