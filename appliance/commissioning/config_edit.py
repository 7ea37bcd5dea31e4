"""Changes one section of the operator's file: what people wrote stays, and nothing that cannot be used replaces it."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable, Array, Comment, InlineTable, Item, Table, Whitespace

from appliance.config import load_config
from appliance.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_SomeTable = TypeVar("_SomeTable", bound=AbstractTable)

_ON_ONE_LINE: Final = 100
"""Characters; a longer array gets a line for each of its items."""


def write(config_file: Path, section: Sequence[str], values: Mapping[str, Any]) -> None:
    """Set these values in `section`, as ("recipes", "housing-a", "quality"), of the operator's file.

    Comments, order and every other value stay; a value that is None is taken out; a section that is missing is made,
    where the one above it is there. The result is checked by load_config before it takes the file's place, whole or not
    at all, also over a power cut; what was there before is kept as FILE.bak.
    Raises: ConfigError; then the file is as it was.
    """
    file = config_file.resolve()  # a link stays a link
    load_config(file)
    text = file.read_text(encoding="utf-8")
    changed = edited(text, section, values)
    staging = file.with_name(f".{file.name}.new")
    try:
        _write_durably(staging, changed, like=file)
        _check(staging, file)
        shutil.copy2(file, file.with_name(f"{file.name}.bak"))
        staging.replace(file)
        _sync_folder(file.parent)
    except OSError as error:
        raise ConfigError(f"The configuration {file} cannot be changed: {error.strerror}.") from error
    finally:
        staging.unlink(missing_ok=True)


def edited(text: str, section: Sequence[str], values: Mapping[str, Any]) -> str:
    """The file's text with these values in `section`. Raises: ConfigError where it cannot be done without harm."""
    document = tomlkit.parse(text)
    wanted = _with(tomllib.loads(text), section, values)
    try:
        _change(document, section, values)
        changed = document.as_string()
        if tomllib.loads(changed) == wanted:
            return changed
    except (TOMLKitError, tomllib.TOMLDecodeError):
        pass  # told below
    raise ConfigError(
        f"The configuration is written in a way that cannot be changed safely at [{'.'.join(section)}]; "
        f"put this there yourself:\n{as_toml(section, values)}"
    )


def as_toml(section: Sequence[str], values: Mapping[str, Any]) -> str:
    """The section as it would stand in the file; values that are None are left out."""
    header = tomlkit.key(list(section)).as_string()
    return f"[{header}]\n" + _filled(tomlkit.table(), values).as_string()


def _with(content: dict[str, Any], section: Sequence[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """What the file shall say. Raises: ConfigError where the section above is missing."""
    table = content
    for depth, name in enumerate(section):
        if depth == len(section) - 1:
            table = table.setdefault(name, {})
        elif name in table:
            table = table[name]
        else:
            raise ConfigError(f"There is no [{'.'.join(section[: depth + 1])}] in the configuration.")
    for key, value in values.items():
        if value is None:
            table.pop(key, None)
        else:
            table[key] = _plain(value)
    return content


def _change(document: Any, section: Sequence[str], values: Mapping[str, Any]) -> None:
    above = document
    for name in section[:-1]:
        above = above[name]
    name = section[-1]
    if name in above:
        _filled(above[name], values)
    elif isinstance(above, InlineTable):
        above[name] = _filled(tomlkit.inline_table(), values)
    else:
        table = _filled(tomlkit.table(), values)
        introduction = _taken_from_the_end(above) if isinstance(above, Table) else []
        for one in introduction or [tomlkit.ws("\n")]:
            table.add(one)
        above[name] = table


def _filled(table: _SomeTable, values: Mapping[str, Any]) -> _SomeTable:
    for key, value in values.items():
        if value is None:
            table.pop(key, None)
        else:
            table[key] = _item(key, value)
    return table


def _item(key: str, value: Any) -> Item:
    """A table within becomes an inline one; a long list gets a line for each of its items."""
    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        table.update(_plain(value))
        return table
    item: Item = tomlkit.item(_plain(value))
    if isinstance(item, Array) and len(f"{key} = {item.as_string()}") > _ON_ONE_LINE:
        item.multiline(multiline=True)
    return item


def _plain(value: Any) -> Any:
    """Lists for tuples: what TOML knows."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _taken_from_the_end(table: Table) -> list[Comment | Whitespace]:
    """The comment that stands before the next section, taken out of this one: tomlkit counts it to this one's end."""
    body = table.value.body
    if body and isinstance(body[-1][1], Table):
        return _taken_from_the_end(body[-1][1])
    begin = len(body)
    while begin and isinstance(body[begin - 1][1], Comment | Whitespace):
        begin -= 1
    blanks = [at for at in range(begin, len(body)) if isinstance(body[at][1], Whitespace)]
    if not blanks:
        return []
    taken = [item for _, item in body[blanks[-1] :] if isinstance(item, Comment | Whitespace)]
    del body[blanks[-1] :]
    body.append((None, tomlkit.ws("\n")))
    return taken


def _check(staging: Path, file: Path) -> None:
    try:
        load_config(staging)
    except ConfigError as error:
        sentence = str(error).replace(str(staging), str(file))
        raise ConfigError(f"Nothing was written. With the new values: {sentence}") from error


def _write_durably(staging: Path, text: str, *, like: Path) -> None:
    """With the rights and the owner of the file whose place it takes."""
    kept = like.stat()
    with staging.open("w", encoding="utf-8", newline="") as file:
        os.fchmod(file.fileno(), kept.st_mode & 0o777)
        if os.geteuid() == 0:
            os.fchown(file.fileno(), kept.st_uid, kept.st_gid)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
