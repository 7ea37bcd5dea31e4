"""Looks a package over before boxes do."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from appliance.publishing.errors import PublishError
from appliance.publishing.findings import Finding, error
from appliance.publishing.lint_files import look_at_files
from appliance.publishing.lint_golden import look_at_golden
from appliance.publishing.lint_graph import look_at_graph
from appliance.publishing.lint_inspection import look_at_inspection
from appliance.publishing.lint_weights import look_at_weights
from appliance.runtimes.description import Description, describe
from appliance.runtimes.errors import NotASavedModel

_LOOKS: Final[tuple[Callable[[Path, Description], Iterator[Finding]], ...]] = (
    look_at_graph,
    look_at_weights,
    look_at_inspection,
    look_at_golden,
)


def lint(folder: Path) -> Sequence[Finding]:
    """Everything that is wrong with the package in `folder`, errors first; empty: nothing is.

    Reads files only: no TensorFlow is started. Some ms, and 0.1 s for each 10,000 nodes of the graph.
    Raises: PublishError where `folder` is no folder.
    """
    if not folder.is_dir():
        raise PublishError(f"{folder} is no folder; `appliance package` makes one that can be looked at.")
    found = list(look_at_files(folder))
    try:
        description = describe(folder)
        found += [finding for look in _LOOKS for finding in look(folder, description)]
    except NotASavedModel as problem:
        found.append(_no_model(folder, problem))
    return sorted(found, key=lambda finding: (finding.severity, finding.where, finding.code))


def has_errors(findings: Sequence[Finding]) -> bool:
    """Whether any of them keeps the package from being signed."""
    return any(finding.severity == "error" for finding in findings)


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """For --json."""
    return {
        "errors": sum(finding.severity == "error" for finding in findings),
        "warnings": sum(finding.severity == "warning" for finding in findings),
        "findings": [finding.as_json() for finding in findings],
    }


def as_text(folder: Path, findings: Sequence[Finding]) -> str:
    """For people: each finding with its remedy below it."""
    if not findings:
        return f"{folder}: nothing to remark."
    lines = [f"{one.severity}: {one.where}: {one.what}.\n  {one.remedy}." for one in findings]
    counts = as_json(findings)
    summary = f"{folder}: {_counted(counts['errors'], 'error')}, {_counted(counts['warnings'], 'warning')}."
    return "\n".join([*lines, summary])


def _counted(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"


def _no_model(folder: Path, problem: NotASavedModel) -> Finding:
    if [each for each in folder.iterdir() if each.name.isdecimal() and (each / "saved_model.pb").is_file()]:
        return error(
            "not_a_version",
            folder.name,
            "it holds numbered versions, and a package is one of them",
            f"Name one, such as {folder}/{max(int(e.name) for e in folder.iterdir() if e.name.isdecimal())}",
        )
    return error("no_model", "saved_model.pb", str(problem), "Export the model again, or name the folder that holds it")
