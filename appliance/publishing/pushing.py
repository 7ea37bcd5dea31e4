"""Sends a signed package to where boxes look."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance import __version__
from appliance.publishing.errors import PublishError
from appliance.publishing.progress import Progress, in_bytes
from appliance.registry.config import DeliveryConfig
from appliance.registry.errors import Rejected
from appliance.registry.package.dsse import ENVELOPE_MAX_BYTES, read_envelope
from appliance.registry.package.files import BESIDE, RELEASE_FILE, SIGNATURE_FILE
from appliance.registry.package.inventory import hash_files, list_folder, verify_folder
from appliance.registry.package.keys import PublicKey
from appliance.registry.package.statement import Statement, parse_statement, read_statement
from appliance.registry.remote.push import Destination, Pushed
from appliance.registry.remote.push_opening import open_destination


@dataclass(frozen=True, slots=True)
class Place:
    """Where to, and with which login."""

    where: str
    tags: tuple[str, ...] = ()
    plain_image: bool = False
    credentials_file: Path | None = None
    ca_file: Path | None = None
    proxy: str | None = None

    def open(self) -> Destination:
        """Asks nobody yet. Raises: ReferenceUnusable, Unavailable."""
        config = DeliveryConfig(credentials_file=self.credentials_file, ca_file=self.ca_file, proxy=self.proxy)
        return open_destination(
            self.where, config, tags=self.tags, plain_image=self.plain_image, user_agent=f"appliance/{__version__}"
        )


def push(folder: Path, place: Place, keys: Sequence[PublicKey], progress: Progress) -> tuple[Statement, Pushed]:
    """Verify the package again, and send what is not there yet.

    Without `keys` every byte is compared with the statement, and nobody asks who signed it.
    Raises: PublishError, Rejected, Unavailable, NoSpace.
    """
    destination = place.open()
    try:
        progress.step("Verifying")
        statement = verified(folder, keys)
        beside = sum((folder / name).stat().st_size for name in BESIDE)
        progress.step(f"Pushing to {place.where}", statement.size + beside)
        pushed = destination.push(folder, statement, progress.advance)
    finally:
        destination.close()
    progress.done()
    return statement, pushed


def next_release(place: Place) -> int:
    """One above the highest at the place; 1 where there is none. Raises: Unavailable."""
    destination = place.open()
    try:
        return (destination.newest_release() or 0) + 1
    finally:
        destination.close()


def verified(folder: Path, keys: Sequence[PublicKey]) -> Statement:
    """The statement of a folder that is what it says. Raises: PublishError, Rejected."""
    raw = _signed(folder)
    if keys:
        statement, _ = read_statement(raw, keys)
        return verify_folder(folder, statement, keys).statement
    statement = parse_statement(read_envelope(raw).payload)
    try:
        sizes = {path: size for path, size in list_folder(folder).items() if path not in BESIDE}
        same = set(hash_files(folder, sizes)) == set(statement.files)
    except Rejected as refusal:
        raise PublishError(f"{folder} is not what was signed: {refusal}") from refusal
    if not same:
        listed = {file.path: file for file in statement.files}
        other = sorted(listed.keys() ^ sizes.keys()) or sorted(
            file.path for file in hash_files(folder, sizes) if listed.get(file.path) != file
        )
        raise PublishError(f"{folder} changed after it was signed ({', '.join(other[:5])}); sign it again.")
    return statement


def _signed(folder: Path) -> bytes:
    if not folder.is_dir():
        raise PublishError(f"{folder} is no folder; `appliance package` makes one.")
    if not (folder / SIGNATURE_FILE).is_file() or not (folder / RELEASE_FILE).is_file():
        raise PublishError(f"{folder} is not signed, and no box would take it; `appliance sign` does that.")
    with (folder / RELEASE_FILE).open("rb") as opened:
        return opened.read(ENVELOPE_MAX_BYTES + 1)


def as_text(statement: Statement, pushed: Pushed) -> str:
    """What was sent, and what a box' configuration needs."""
    return f"""{statement.model} version {statement.version}, release {statement.release}: {pushed.reference}
  digest of the content  {statement.digest}
  sent                   {in_bytes(pushed.bytes_sent)}; {in_bytes(pushed.bytes_there)} were there already
  named                  {", ".join(pushed.names)}

A box fetches it with these lines in its configuration:

  [models.{statement.model}.delivery]
  source = "{pushed.source}"
  trusted_keys = ["/etc/appliance/keys/NAME.pub"]
"""


def as_json(statement: Statement, pushed: Pushed) -> dict[str, object]:
    """For --json."""
    return {
        "model": statement.model,
        "version": statement.version,
        "release": statement.release,
        "digest": statement.digest,
        "reference": pushed.reference,
        "manifest": pushed.digest,
        "source": pushed.source,
        "bytes_sent": pushed.bytes_sent,
        "bytes_there": pushed.bytes_there,
        "names": list(pushed.names),
    }
