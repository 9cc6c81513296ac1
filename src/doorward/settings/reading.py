"""A configuration file becomes settings."""

import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from doorward.settings.checks import check
from doorward.settings.knobs import ExternalSettings, Settings, SettingsError

T = TypeVar("T")


def load(config: Path | None = None, *, data_dir: Path | None = None) -> Settings:
    """Read ``config`` (TOML), or take the defaults; ``data_dir`` stands above the file. Raises ``SettingsError``.

    Relative paths in the file start at the file's own directory.
    """
    settings = Settings()
    if config is not None:
        settings = _table(Settings, _read(config), "")
        base = config.resolve().parent
        pinned = {url: str(base / path) for url, path in settings.cimd.pinned.items()}
        mail = settings.mail
        mail = replace(
            mail,
            ca_file=mail.ca_file and str(base / mail.ca_file),
            password_file=mail.password_file and str(base / mail.password_file),
        )
        keys = settings.api_keys
        keys = replace(keys, leak_secret_file=keys.leak_secret_file and str(base / keys.leak_secret_file))
        settings = replace(
            settings, data_dir=base / settings.data_dir, cimd=replace(settings.cimd, pinned=pinned),
            mail=mail, api_keys=keys,
        )  # fmt: skip
    if data_dir is not None:
        settings = replace(settings, data_dir=data_dir)
    settings = replace(settings, data_dir=settings.data_dir.resolve())
    check(settings)
    return settings


def _read(config: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as wrong:
        raise SettingsError(f"{config}: cannot be read ({wrong.strerror}). Check the path.") from wrong
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise SettingsError(f"{config}: not TOML ({wrong}). Mend the line.") from wrong


def _table(kind: type[T], values: Mapping[str, Any], path: str) -> T:
    """Return ``values`` as a ``kind``; every key must be one of its fields, and of the field's type."""
    default = kind()
    known = {item.name: getattr(default, item.name) for item in fields(kind)}  # type: ignore[arg-type]
    result: dict[str, Any] = {}
    for name, value in values.items():
        where = f"{path}{name}"
        if name not in known:
            raise SettingsError(f"{where}: unknown key. Known here: {', '.join(sorted(known))}.")
        result[name] = _value(known[name], value, where)
    if kind is Settings and "external_bearers" in result:
        result["external_bearers"] = {
            name: _table(ExternalSettings, each, f"external_bearers.{name}.")
            for name, each in result["external_bearers"].items()
        }
    return kind(**result)


def _value(default: Any, value: Any, where: str) -> Any:
    if is_dataclass(default) and isinstance(value, dict):
        return _table(type(default), value, f"{where}.")
    if isinstance(default, Path) and isinstance(value, str):
        return Path(value)
    if type(value) is not type(default):
        raise SettingsError(f"{where}: expected {_name(default)}, got {type(value).__name__}. Mend the value.")
    texts = value if isinstance(value, list) else [*value, *value.values()] if isinstance(value, dict) else []
    if (
        where == "external_bearers"
        and isinstance(value, dict)
        and all(isinstance(each, dict) for each in value.values())
    ):
        return value
    if any(not isinstance(text, str) for text in texts):
        raise SettingsError(f"{where}: expected texts. Mend the value.")
    return value


def _name(default: Any) -> str:
    return "a table" if is_dataclass(default) else type(default).__name__
