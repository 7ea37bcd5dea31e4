"""What the publisher's commands do with their options: one function a command. Each prints and returns an exit code."""

import argparse
import getpass
import json
import os
import shlex
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final

from appliance.publishing import following, pushing
from appliance.publishing.errors import PublishError
from appliance.publishing.following import Box, Follower
from appliance.publishing.lint import as_json, as_text, has_errors, lint
from appliance.publishing.packaging import PackageOrder, make_package
from appliance.publishing.progress import in_bytes, progress_on
from appliance.publishing.pushing import Place
from appliance.publishing.signing import SigningOrder, about, sign
from appliance.registry.package.keys import (
    PassphraseNeeded,
    PublicKey,
    new_key_pair,
    read_private_key,
    read_public_key,
)
from appliance.registry.package.statement import Statement

_PASSPHRASE_MAX_BYTES: Final = 4096


def keys_new(options: argparse.Namespace) -> int:
    """Both files, and what to do with them."""
    private, public = options.folder / f"{options.name}.key", options.folder / f"{options.name}.pub"
    key = new_key_pair(private, public, _passphrase_in(options.passphrase_file))
    _say(f"""{private}  signs. It stays with you: back it up, and show it to nobody.
{public}  is what boxes trust. Copy it to each box, and name it in its configuration:

  [models.NAME.delivery]
  trusted_keys = ["/etc/appliance/keys/{public.name}"]

Key id {key.public.id}""")
    return 0


def keys_show(options: argparse.Namespace) -> int:
    """The id, as `release.json` has it."""
    key: PublicKey
    if options.file.suffix == ".key":
        key = read_private_key(options.file, _passphrase(options.file, options.passphrase_file)).public
    else:
        key = read_public_key(options.file)
    _say(f"{key.id}  {options.file}")
    return 0


def package(options: argparse.Namespace) -> int:
    """The folder, and what a lint says of it."""
    order = PackageOrder(
        source=options.source,
        out=options.out,
        model=options.model,
        version=options.version,
        inspection=options.inspection,
        golden=options.golden,
        golden_from=options.golden_from,
        tolerance=options.tolerance,
        card=options.card,
        labels=options.labels,
        tracking=options.tracking,
        replace=options.replace,
    )
    folder = make_package(order, progress_on())
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    _say(f"{folder}: {order.model} version {order.version}, {in_bytes(size)}")
    findings = lint(folder)
    if findings:
        _say(as_text(folder, findings))
    after = "Correct the errors, and package it again; then" if has_errors(findings) else "Next"
    _say(f"{after}: appliance sign {shlex.quote(str(folder))} --key NAME.key --release N")
    return 0


def lint_package(options: argparse.Namespace) -> int:
    """1 where there are errors."""
    findings = lint(options.folder)
    _say(json.dumps(as_json(findings), indent=1) if options.json else as_text(options.folder, findings))
    return int(has_errors(findings))


def sign_package(options: argparse.Namespace) -> int:
    """Both signatures."""
    release = options.release
    if release is None:
        if options.registry is None:
            raise PublishError("--release next needs to know where it will be pushed to: --registry DEST.")
        release = pushing.next_release(_place(options, options.registry))
    statement = sign(_signing_order(options, release))
    _say(_signed(statement, options.folder))
    _say(f"Next: appliance push {shlex.quote(str(options.folder))} oci://REGISTRY/REPOSITORY:TAG")
    return 0


def push_package(options: argparse.Namespace) -> int:
    """What was sent, and the lines that a box needs."""
    keys = [] if options.key is None else [read_public_key(options.key)]
    statement, pushed = pushing.push(options.folder, _place(options, options.where), keys, progress_on())
    if options.json:
        _say(json.dumps(pushing.as_json(statement, pushed), indent=1))
        return 0
    _say(pushing.as_text(statement, pushed).rstrip())
    if not keys:
        _say("\nWho signed it was not asked; --key NAME.pub does that before it is sent.")
    return 0


def deploy(options: argparse.Namespace) -> int:
    """Lint, sign, push; and with a box, until it serves there."""
    progress = progress_on()
    key = read_private_key(options.key, _passphrase(options.key, options.passphrase_file))
    place = _place(options, options.where)
    progress.step(f"Looking at {options.where}")
    release = options.release if options.release is not None else pushing.next_release(place)
    progress.step(f"Signing release {release}")
    order = _signing_order(options, release)
    statement = sign(order)
    trusted = [key.public] if order.signature_key is None else [key.public, order.signature_key]
    statement, pushed = pushing.push(options.folder, place, trusted, progress)
    _say(pushing.as_text(statement, pushed).rstrip())
    if options.box is None:
        return 0
    follower = Follower(Box(options.box, options.token_file, options.box_ca), progress)
    try:
        ended = follower.follow(follower.ask(statement.model, release), options.follow_s)
    finally:
        follower.close()
    _say(following.as_text(ended))
    return 0 if following.ended_well(ended) else 1


def _signing_order(options: argparse.Namespace, release: int) -> SigningOrder:
    issued = datetime.now(timezone.utc)
    expires = options.expires or timedelta(days=365)
    return SigningOrder(
        folder=options.folder,
        key=options.key,
        release=release,
        lines=tuple(options.line) or ("**",),
        products=tuple(options.product),
        issued=issued,
        expires=issued + expires if isinstance(expires, timedelta) else expires,
        revokes=tuple(options.revoke),
        notes=options.notes,
        min_appliance=options.min_appliance,
        model=options.model,
        version=options.version,
        keep_signature=options.keep_signature,
        signature_key=None if options.signature_key is None else read_public_key(options.signature_key),
        force=options.force,
        passphrase=_passphrase(options.key, options.passphrase_file),
    )


def _place(options: argparse.Namespace, where: str) -> Place:
    return Place(
        where=where,
        tags=tuple(getattr(options, "tag", ())),
        plain_image=getattr(options, "plain_image", False),
        credentials_file=options.credentials or _docker_logins(),
        ca_file=options.ca_file,
        proxy=options.proxy,
    )


def _docker_logins() -> Path | None:
    """Where `docker login`, `podman login` and `skopeo login` keep them."""
    named = os.environ.get("REGISTRY_AUTH_FILE")
    docker = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    podman = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nonexistent") / "containers" / "auth.json"
    return next((file for file in (Path(named) if named else docker, docker, podman) if file.is_file()), None)


def _passphrase(key: Path, file: Path | None) -> bytes | None:
    """From the file; or asked for, where the key needs one and a person is there."""
    if file is not None:
        return _passphrase_in(file)
    try:
        read_private_key(key)
    except PassphraseNeeded:
        if not sys.stdin.isatty():
            raise
        return getpass.getpass(f"Passphrase of {key}: ").encode()
    return None


def _passphrase_in(file: Path | None) -> bytes | None:
    if file is None:
        return None
    try:
        with file.open("rb") as opened:
            found = opened.read(_PASSPHRASE_MAX_BYTES + 1).rstrip(b"\r\n")
    except OSError as error:
        raise PublishError(f"The passphrase {file} cannot be read: {error.strerror}.") from error
    if not found or len(found) > _PASSPHRASE_MAX_BYTES:
        raise PublishError(f"{file} holds no passphrase of 1 to {_PASSPHRASE_MAX_BYTES} bytes.")
    return found


def _signed(statement: Statement, folder: Path) -> str:
    model, _ = about(folder)
    lines = ", ".join(statement.lines)
    made = "" if model else " (a folder that `appliance package` did not make)"
    return f"""{folder}{made}: {statement.model} version {statement.version}, release {statement.release}
  digest   {statement.digest}
  files    {len(statement.files)}, {in_bytes(statement.size)}
  lines    {lines}{f"; products {', '.join(statement.products)}" if statement.products else ""}
  expires  {statement.expires:%Y-%m-%d %H:%M} UTC"""


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
