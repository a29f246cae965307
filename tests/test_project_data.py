"""The data of the final project: cleaning, splitting, and fetching without a network."""

import hashlib
import io
import tarfile

import pytest

from sft2rl import textdata
from sft2rl.textdata import Snippet, TextDataError, clean, load_fixture, of_split


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def _archive() -> bytes:
    """A small archive with the layout of the real one: BOM, CRLF, an entity and a double."""
    movie = "1\t2.0\tA  Fine &amp; Warm film\r\n2\t-1.0\tdull\r\n3\t-1.0\tDull\r\n"
    movie_raw = "\ufeff1\t2.0\t1.0\t[3, 1]\r\n2\t-1.0\t0.0\t[-1, -1]\r\n3\t-1.0\t0\t[-1, -1]\r\n"
    amazon, amazon_raw = "1_1\t0.5\tit works\r\n", "1_1\t0.5\t0.5\t[0, 1]\r\n"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, truth, raw in (
            ("movieReviewSnippets", movie, movie_raw),
            ("amazonReviewSnippets", amazon, amazon_raw),
        ):
            _add(tar, f"hutto_ICWSM_2014/{name}_GroundTruth.txt", truth.encode())
            _add(tar, f"hutto_ICWSM_2014/{name}_anonDataRatings.txt", raw.encode())
    return buffer.getvalue()


@pytest.fixture
def small_archive(tmp_path, monkeypatch):
    data = _archive()
    path = tmp_path / "hutto_ICWSM_2014.tar.gz"
    path.write_bytes(data)
    monkeypatch.setattr(textdata, "ARCHIVE_SHA256", hashlib.sha256(data).hexdigest())
    return path


def test_snippets_are_clean_and_unique(small_archive):
    snippets = textdata.load_snippets(small_archive)
    assert [each.text for each in snippets] == ["a fine & warm film", "dull", "it works"]
    assert snippets[0].ratings == (3, 1)
    assert snippets[0].mean == 2.0
    assert [each.source for each in snippets] == ["movie", "movie", "amazon"]


def test_a_changed_archive_is_refused(small_archive):
    small_archive.write_bytes(small_archive.read_bytes() + b"x")
    with pytest.raises(TextDataError, match="not the expected file"):
        textdata.load_snippets(small_archive)


def test_a_cached_archive_needs_no_network(small_archive, monkeypatch):
    monkeypatch.setattr(textdata, "_download", lambda: pytest.fail("downloaded again"))
    assert textdata.fetch(small_archive.parent) == small_archive


def test_no_network_is_said_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(TextDataError, match="needs the network once"):
        textdata.fetch(tmp_path)
    assert not list(tmp_path.iterdir())


def test_another_file_from_the_index_is_refused():
    with pytest.raises(TextDataError, match="SHA-256 differs"):
        textdata._archive_of(b"something else")


def test_the_split_depends_on_the_text_alone():
    one = Snippet("movie", "a fine film", (1, 2))
    assert one.split == Snippet("amazon", "a fine film", (0,)).split
    texts = [Snippet("movie", f"text {i}", (0,)) for i in range(2000)]
    shares = {name: len(of_split(texts, name)) / 2000 for name in textdata.SPLITS}
    assert abs(shares["train"] - 0.90) < 0.03
    assert abs(shares["validation"] - 0.05) < 0.02
    assert sum(shares.values()) == 1.0


def test_the_fixture_has_both_sources_and_both_signs():
    snippets = load_fixture()
    assert {each.source for each in snippets} == {"movie", "amazon"}
    assert min(each.mean for each in snippets) < -2 < 2 < max(each.mean for each in snippets)
    assert all(-4 <= rating <= 4 for each in snippets for rating in each.ratings)
    assert all(each.text == clean(each.text) for each in snippets)
