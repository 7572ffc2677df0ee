"""Running the pipeline again elsewhere, and seeing which results are the same bytes.

Where some are not, their means are compared within the noise of training, and verdicts by name.
"""

import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgsl import paths
from mgsl.documents import read_yaml
from mgsl.errors import UserError
from mgsl.tools import agreement, lock, promise
from mgsl.tools.agreement import Agreement
from mgsl.tools.lock import LOCK

STUDIES_LOCK = Path("studies/dvc.lock")
DVC = (sys.executable, "-m", "dvc")
AGREES, DIFFERS, NEW, LACKING = "agrees", "differs", "new", "lacking"


@dataclass(frozen=True)
class Result:
    """One output of the pipeline and what became of it when it was made again."""

    path: str
    outcome: str


@dataclass(frozen=True)
class Outcome:
    """What came out of a second run of the pipeline.

    `reasons` say why this machine does not promise the same bytes, `means` is None where nothing
    was evaluated, `verdicts` where the claims were not tested.
    """

    results: Sequence[Result]
    reasons: Sequence[str] = ()
    means: Agreement | None = None
    verdicts: Sequence[str] | None = None

    @property
    def same(self) -> int:
        """How many results are the same bytes."""
        return sum(result.outcome == AGREES for result in self.results)

    @property
    def good(self) -> bool:
        """Whether all is as this machine promises."""
        if self.same == len(self.results):
            return True
        return bool(self.reasons) and self.means is not None and self.means.within

    def lines(self) -> list[str]:
        """The verdict of the whole, then what it rests on."""
        lines = [self._whole(), f"{self.same} of {len(self.results)} results agree to the byte"]
        if self.same == len(self.results):
            return lines
        lines += [f"this machine does not promise the bytes: {reason}" for reason in self.reasons]
        lines += self.means.lines() if self.means else ["no means over trainings were made there"]
        if self.verdicts is not None:
            lines += [f"verdicts of claims that changed: {len(self.verdicts)}", *self.verdicts]
        return [*lines, *differing(self.results)]

    def _whole(self) -> str:
        if self.same == len(self.results):
            return "REPRODUCED: every result is the same bytes"
        if not self.reasons:
            return "NOT reproduced: other bytes, on a machine that should give the same"
        if self.good:
            return "REPRODUCED within the noise of training, not to the byte"
        if self.means is not None and self.means.unjudged:
            return "NOT SHOWN: other bytes, and no noise of training to compare them with"
        if self.means is not None:
            return "NOT reproduced: other bytes, and results outside the noise of training"
        return "NOT SHOWN: other bytes, and nothing was evaluated"


def verify(targets: Sequence[str], *, keep: bool, say: Callable[[str], None] = print) -> bool:
    """Run the pipeline in a scratch copy of the tracked files; compare what comes out.

    The copy has the working tree's tracked files and no artifact, no cache and no built report, so
    that everything is made anew; measured times are inputs, kept in git, and no part of it. The
    working tree is only read.

    Args:
        targets: stages of dvc.yaml, or of studies/dvc.yaml by that path; none: all of dvc.yaml.
        keep: whether the copy is left for a look at what differs.
        say: tells what is done, and what came out.

    Returns:
        Whether every result agrees to the byte; where this machine does not promise that, whether
        all others agree within the noise of training.

    Raises:
        UserError: this is no git repository with a dvc.lock, or the pipeline failed in the copy.
    """
    _tracked()  # this is a git repository, or nothing can be verified
    if not LOCK.is_file():
        raise UserError(f"{LOCK} is missing, so there is nothing to compare with: run `dvc repro`")
    if lines := lock.misfits():
        say("what is committed is not of this tree, and may differ for that alone:")
        for line in lines:
            say(f"  {line}")
    with scratch_copy(keep=keep, say=say) as copy:
        say("running the pipeline there, from the beginning")
        reproduce(copy, "--force", *targets)
        outcome = examine(Path.cwd(), copy)
    for line in outcome.lines():
        say(line)
    return outcome.good


@contextmanager
def scratch_copy(*, keep: bool = False, say: Callable[[str], None] = print) -> Iterator[Path]:
    """Yield a copy of the tracked files as they are now, without any result; remove it afterwards.

    Args:
        keep: whether it is left for a look.
        say: tells what is done.

    Raises:
        UserError: this is no git repository.
    """
    tracked = _tracked()
    folder = Path(tempfile.mkdtemp(prefix="mgsl-verify-"))
    copy = folder / "copy"
    try:
        say(f"copying {len(tracked)} tracked files to {copy}")
        _copy(tracked, copy)
        yield copy
    finally:
        if keep:
            say(f"the copy is kept in {copy}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def reproduce(copy: Path, *arguments: str) -> None:
    """`dvc repro` in a copy; what ends this process ends it too, and is waited for.

    Args:
        copy: the root of a workspace.
        arguments: further ones of `dvc repro`: options, and stages.

    Raises:
        UserError: the pipeline failed.
    """
    process = subprocess.Popen([*DVC, "repro", *arguments], cwd=copy, env=environment())
    try:
        code = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if code:
        raise UserError(f"the pipeline failed in the copy (exit code {code}); see above")


def environment() -> dict[str, str]:
    """That of a process in a copy: the same Python, and the copy's own code."""
    variables = dict(os.environ)
    variables["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{variables['PATH']}"
    variables.pop("PYTHONPATH", None)
    return variables


def examine(here: Path, there: Path) -> Outcome:
    """All that is to be said of two workspaces; the arguments are those of `compare`."""
    return Outcome(
        compare(here, there),
        [reason.what for reason in promise.broken()],
        agreement.compare(here, there),
        agreement.changed_verdicts(here, there),
    )


def compare(here: Path, there: Path) -> list[Result]:
    """Every output of the stages that ran there: by digest, and reports file by file.

    Args:
        here: the root of a workspace with its dvc.lock.
        there: the root of another in which the pipeline has just run.
    """
    before, after = (_outputs(root) for root in (here, there))
    results: list[Result] = []
    for path, digest in after.items():
        if path.startswith(f"{paths.REPORTS}/"):
            results += _files(here, there, Path(path))
        else:
            outcome = NEW if path not in before else AGREES if before[path] == digest else DIFFERS
            results.append(Result(path, outcome))
            if outcome == DIFFERS and (here / path).is_dir():  # which of its files
                results += [r for r in _files(here, there, Path(path)) if r.outcome != AGREES]
    if (there / STUDIES_LOCK).is_file():  # a study was made there; it is no output for DVC
        results += _files(here, there, paths.STUDIES)
    return results


def differing(results: Sequence[Result]) -> list[str]:
    """What is not the same bytes, by name."""
    words = {
        DIFFERS: "differs",
        NEW: "was made there, and stands not here",
        LACKING: "stands here, and was not made there",
    }
    return [f"  {r.path} {words[r.outcome]}" for r in results if r.outcome != AGREES]


def _tracked() -> list[Path]:
    command = ["git", "ls-files", "-z"]
    try:
        process = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise UserError(
            f"{Path.cwd()} is not a git repository: verify copies tracked files"
        ) from None
    return [path for name in process.stdout.split("\0") if name and (path := Path(name)).is_file()]


def _copy(tracked: Sequence[Path], copy: Path) -> None:
    """The tracked files as they are now, with the history that stamps pages, without results."""
    clone = ["git", "clone", "--quiet", "--no-checkout", "--no-hardlinks", ".", str(copy)]
    subprocess.run(clone, check=True)
    built = (paths.EXHIBITS, paths.METRICS)
    front = (paths.REPORTS / "index.html", paths.REPORTS / "README.md", LOCK, STUDIES_LOCK)
    for path in tracked:
        if path in front or any(path.is_relative_to(folder) for folder in built):
            continue
        target = copy / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    subprocess.run(["git", "reset", "--quiet"], cwd=copy, check=True)  # an index, for DVC


def _outputs(root: Path) -> dict[str, str]:
    """The digest of every output in the locks of both pipelines, by its path."""
    locks = [root / lock for lock in (LOCK, STUDIES_LOCK) if (root / lock).is_file()]
    documents: list[dict[str, Any]] = [read_yaml(lock) or {} for lock in locks]
    return {
        output["path"]: output["md5"]
        for document in documents
        for stage in document.get("stages", {}).values()
        for output in stage.get("outs", [])
    }


def _files(here: Path, there: Path, output: Path) -> Iterator[Result]:
    """An output of the reports, file by file, by their bytes."""
    names = {
        path.relative_to(root)
        for root in (here, there)
        for path in ((root / output).rglob("*") if (root / output).is_dir() else [root / output])
        if path.is_file()
    }
    for name in sorted(names):
        first, second = here / name, there / name
        if not first.is_file() or not second.is_file():
            outcome = LACKING if first.is_file() else NEW
        else:
            outcome = AGREES if filecmp.cmp(first, second, shallow=False) else DIFFERS
        yield Result(name.as_posix(), outcome)
