import hashlib
import os
import unicodedata
from pathlib import Path

import pytest

from wisqu_pipelines.errors import BadInput
from wisqu_pipelines.ingest.files import SourceFile, contents, find


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def names(found: list[SourceFile]) -> list[str]:
    return [each.name for each in found if each.refusal is None]


def test_a_folder_is_walked_in_one_order_without_hidden_files(tmp_path: Path) -> None:
    write(tmp_path, "b.md", "a/z.md", "a/b/c.md", "c/x.md", "Z.md", ".hidden", ".git/config", "a/.hidden/x.md")
    assert names(find([tmp_path])) == ["Z.md", "b.md", "a/z.md", "a/b/c.md", "c/x.md"]


def test_a_file_that_is_given_itself_goes_by_its_own_name(tmp_path: Path) -> None:
    write(tmp_path, "a/b.md")
    assert names(find([tmp_path / "a" / "b.md"])) == ["b.md"]


def test_names_are_composed_so_that_every_system_gives_the_same(tmp_path: Path) -> None:
    write(tmp_path, unicodedata.normalize("NFD", "café.md"))
    assert names(find([tmp_path])) == ["café.md"]


def test_links_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    write(tmp_path, "secret.txt", "folder/a.md", "folder/sub/b.md")
    folder = tmp_path / "folder"
    (folder / "inside.md").symlink_to(folder / "a.md")
    (folder / "outside.md").symlink_to(tmp_path / "secret.txt")
    (folder / "loop").symlink_to(folder)
    (folder / "gone.md").symlink_to(folder / "nothing")
    found = find([folder])
    assert names(found) == ["a.md", "inside.md", "sub/b.md"]
    reasons = {each.name: each.refusal for each in found if each.refusal}
    assert reasons.keys() == {"outside.md", "loop", "gone.md"}
    assert "leads out of the folder" in str(reasons["outside.md"])


def test_what_is_no_ordinary_file_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, "a.md")
    os.mkfifo(tmp_path / "pipe")
    found = find([tmp_path])
    assert names(found) == ["a.md"]
    assert "'pipe'" in str(found[1].refusal)


def test_two_files_of_one_name_are_not_mixed_up(tmp_path: Path) -> None:
    write(tmp_path, "one/README.md", "two/README.md")
    found = find([tmp_path / "one", tmp_path / "two"])
    assert names(found) == ["README.md"]
    assert "the same name 'README.md'" in str(found[1].refusal)


def test_a_bad_name_in_a_folder_refuses_that_file_only(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "=1+1.md", "x\u202etxt.md")
    found = find([tmp_path])
    assert names(found) == ["a.md"]
    assert len(found) == 3


@pytest.mark.parametrize(
    ("name", "reason"),
    [("nothing.md", "no such file"), ("x" * 5_000, "5000 characters"), ("a\0b", "NUL"), ("\u202ex", "direction")],
)
def test_a_given_path_that_is_not_usable_refuses_everything(tmp_path: Path, name: str, reason: str) -> None:
    write(tmp_path, "a.md")
    with pytest.raises(BadInput, match=reason):
        find([tmp_path, tmp_path / name])


def test_contents_are_hashed_and_stay_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    data = os.urandom(5_000_000)
    path.write_bytes(data)
    with contents(SourceFile(path, "a.bin")) as read:
        path.write_bytes(b"changed meanwhile")
        assert (read.size, read.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert read.file.read() == data


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.txt")
    with (
        pytest.raises(BadInput, match=r"'a.txt'.*more than 3 bytes"),
        contents(SourceFile(tmp_path / "a.txt", "a.txt"), 3),
    ):
        pass
