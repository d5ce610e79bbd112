"""Registration, edits and deletion on real files, with crashes at every point."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicgen.artifacts import ArtifactStore, sha256_of
from musicgen.audio.codecs import Format
from musicgen.errors import (
    ArtifactNotFound,
    ChecksumMismatch,
    EditConflict,
    InvalidAudio,
    InvalidField,
    StoreUnavailable,
    StudioError,
    TrackNotFound,
    UnsupportedFormat,
)
from services.library import files
from services.library.editing import Edit
from services.library.library import Library, Produced
from services.library.track import LoopPoints, Track, to_sidecar, track_id_of
from tests.unit.library.sounds import TAGGED, attached, produced, samples, write

pytestmark = pytest.mark.unit


def folder_of(store: ArtifactStore, track: Track) -> Path:
    """Where a track lies."""
    return store.path(f"library/{track.track_id}")


def leftovers(store: ArtifactStore) -> list[str]:
    """Everything in the library that is neither a track nor the index."""
    root = store.path("library")
    hidden = [
        path for path in root.rglob("*") if path.name.endswith(".part") or path.name == "edit.json"
    ]
    return [str(path.relative_to(root)) for path in [*hidden, *(root / ".staging").iterdir()]]


def reopened(library: Library) -> Library:
    """The library after a restart."""
    library.close()
    library.open()
    return library


@pytest.mark.parametrize("format", Format)
def test_register_makes_a_whole_track(
    store: ArtifactStore, library: Library, format: Format
) -> None:
    """Audio, sidecar, peaks and tags are there; the artifact is untouched."""
    made = produced(store, format=format)
    source = store.path(made.artifact_key)
    track = library.register("job-1", 0, made)
    folder = folder_of(store, track)
    assert sorted(path.name for path in folder.iterdir()) == [
        f"audio.{format.extension}",
        "peaks.json",
        "track.json",
    ]
    assert json.loads((folder / "track.json").read_text()) == to_sidecar(track)
    assert track.size_bytes == (folder / f"audio.{format.extension}").stat().st_size
    assert (track.title, track.genre, track.artist, track.tempo_bpm) == (
        "Rainy Night",
        "lofi",
        "",
        82.5,
    )
    assert track.source_sha256 == made.sha256 == sha256_of(source)
    assert np.array_equal(samples(source), samples(library.audio(track.track_id)[1]))
    assert library.page("", 0, "").tracks == (track,)
    assert leftovers(store) == []


def test_register_twice_is_one_track(store: ArtifactStore, library: Library) -> None:
    """The second call returns the track, as it is after an edit, even without the artifact."""
    made = produced(store)
    first = library.register("job-1", 0, made)
    edited = library.update(first.track_id, Edit(title="Mine"), [], "")
    shutil.rmtree(store.path("artifacts"))
    assert library.register("job-1", 0, made) == edited
    assert len(library.page("", 0, "").tracks) == 1


def test_registering_at_once_is_one_track(store: ArtifactStore, library: Library) -> None:
    """Eight calls at the same time, over two open libraries, all get the one track."""
    made = produced(store)
    other = Library(store)
    other.open()
    with ThreadPoolExecutor(8) as threads:
        calls = [
            threads.submit((library, other)[n % 2].register, "job-1", 0, made) for n in range(8)
        ]
        tracks = [call.result() for call in calls]
    assert len(set(map(repr, tracks))) == 1
    assert library.shelf.track_ids() == [tracks[0].track_id]
    assert leftovers(store) == []
    other.close()


def test_a_track_placed_in_the_same_moment_is_taken(
    store: ArtifactStore, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may place the track between the look and the rename."""
    made = produced(store)
    other = Library(store)
    other.open()
    first = other.register("job-1", 0, made)
    monkeypatch.setattr(Path, "exists", lambda _: False)
    shelf = library.shelf
    with shelf.staging(first.track_id) as folder:
        (folder / "audio.flac").write_bytes(b"x")
        with pytest.raises(FileExistsError):
            shelf.place(folder, first)
    assert library.get(first.track_id) == first
    other.close()


def test_registering_makes_missing_folders(store: ArtifactStore, library: Library) -> None:
    """Somebody tidied up by hand a moment ago; the job must not fail of it."""
    shutil.rmtree(library.shelf.root / ".staging")
    track = library.register("job-1", 0, produced(store))
    assert library.get(track.track_id) == track


def crash_before_anything(_: Path, __: Path) -> None:
    """Nothing was done."""


def crash_in_the_copy(staging: Path, whole: Path) -> None:
    """The audio is half copied."""
    staging.mkdir(parents=True)
    (staging / "audio.flac").write_bytes((whole / "audio.flac").read_bytes()[:1000])


def crash_before_the_sidecar(staging: Path, whole: Path) -> None:
    """All but the sidecar is there."""
    staging.mkdir(parents=True)
    for name in ("audio.flac", "peaks.json"):
        shutil.copy(whole / name, staging)
    (staging / ".track.json.1.2.part").write_text('{"schema"')


def crash_before_the_rename(staging: Path, whole: Path) -> None:
    """The staged track is whole."""
    shutil.copytree(whole, staging)


def crash_after_the_rename(staging: Path, whole: Path) -> None:
    """The track is in place, the index and the caller know nothing."""
    shutil.copytree(whole, staging.parents[1] / whole.name)


def folder_without_sidecar(staging: Path, whole: Path) -> None:
    """A folder of that id that is no track."""
    target = staging.parents[1] / whole.name
    target.mkdir()
    shutil.copy(whole / "audio.flac", target)


def folder_with_damaged_sidecar(staging: Path, whole: Path) -> None:
    """A sidecar that was cut."""
    crash_after_the_rename(staging, whole)
    (staging.parents[1] / whole.name / "track.json").write_text('{"title": "half')


@pytest.mark.parametrize("restart", [True, False])
@pytest.mark.parametrize(
    "crash",
    [
        crash_before_anything,
        crash_in_the_copy,
        crash_before_the_sidecar,
        crash_before_the_rename,
        crash_after_the_rename,
        folder_without_sidecar,
        folder_with_damaged_sidecar,
    ],
)
def test_register_after_a_crash(
    tmp_path: Path, crash: Callable[[Path, Path], None], restart: bool
) -> None:
    """Whatever state a crash left, the next call gives the one whole track."""
    model_store = ArtifactStore(tmp_path / "model")
    model = Library(model_store)
    model.open()
    whole = folder_of(model_store, model.register("job-1", 0, produced(model_store)))
    model.close()

    store = ArtifactStore(tmp_path / "data")
    library = Library(store)
    library.open()
    crash(store.path("library") / ".staging" / f"{whole.name}.0123", whole)
    if restart:
        library = reopened(library)
    made = produced(store)
    track = library.register("job-1", 0, made)
    assert track.track_id == whole.name
    assert library.register("job-1", 0, made) == track
    assert [found.track_id for found in library.page("", 0, "").tracks] == [whole.name]
    assert np.array_equal(samples(library.audio(track.track_id)[1]), samples(whole / "audio.flac"))
    reopened(library)
    assert leftovers(store) == []
    library.close()


def test_a_deleted_track_stays_deleted(store: ArtifactStore, library: Library) -> None:
    """A registration that is delivered again answers, but doesn't bring the track back."""
    made = produced(store)
    track = library.register("job-1", 0, made)
    library.delete(track.track_id)
    assert library.register("job-1", 0, made) == track
    assert library.page("", 0, "").tracks == ()
    with pytest.raises(TrackNotFound):
        library.get(track.track_id)
    with pytest.raises(TrackNotFound):
        library.delete(track.track_id)
    (kept,) = (store.path("library") / ".trash").iterdir()
    assert kept.name.startswith(track.track_id)
    assert sorted(path.name for path in kept.iterdir()) == [
        "audio.flac",
        "peaks.json",
        "track.json",
    ]


def test_wrong_artifacts_leave_nothing(store: ArtifactStore, library: Library) -> None:
    """Wrong bytes, garbage, no file, a loop outside of the audio: an error and no trace."""
    good = produced(store)
    text = store.path("artifacts/job-1/1/notes.flac")
    text.write_bytes(b"not audio" * 100)
    aiff = write_aiff(store.path("artifacts/job-1/1/mix.aiff"))
    empty = write(store.path("artifacts/job-1/1/empty.wav"), Format.WAV, 0)

    def of(path: Path) -> Produced:
        key = path.relative_to(store.root).as_posix()
        return dataclasses.replace(good, artifact_key=key, sha256=sha256_of(path), loop_points=None)

    cases: list[tuple[Produced, type[StudioError]]] = [
        (dataclasses.replace(good, sha256="0" * 64), ChecksumMismatch),
        (dataclasses.replace(good, artifact_key="artifacts/job-1/9/mix.flac"), ArtifactNotFound),
        (dataclasses.replace(good, artifact_key="../../etc/passwd"), InvalidField),
        (dataclasses.replace(good, loop_points=LoopPoints(5, 10**9)), InvalidField),
        (dataclasses.replace(good, loop_points=LoopPoints(5, 5)), InvalidField),
        (of(text), InvalidAudio),
        (of(aiff), UnsupportedFormat),
        (of(empty), InvalidAudio),
    ]
    for case, kind in cases:
        with pytest.raises(kind):
            library.register("job-1", 0, case)
    assert library.shelf.track_ids() == []
    assert leftovers(store) == []


def write_aiff(path: Path) -> Path:
    """Audio of a format that tracks are not made of."""
    soundfile.write(path, np.zeros((4410, 2)), 44_100, format="AIFF", subtype="PCM_16")
    return path


def test_links_out_of_the_store_are_not_followed(
    tmp_path: Path, store: ArtifactStore, library: Library
) -> None:
    """A link among the artifacts, or instead of a track's audio, leads nowhere."""
    outside = write(tmp_path / "secret.flac", Format.FLAC, 1000)
    made = produced(store)
    link = store.path("artifacts/job-1/1/link.flac")
    link.symlink_to(outside)
    stolen = Produced("artifacts/job-1/1/link.flac", sha256_of(outside))
    with pytest.raises(ArtifactNotFound):
        library.register("job-2", 0, stolen)
    track = library.register("job-1", 0, made)
    audio = folder_of(store, track) / "audio.flac"
    audio.unlink()
    audio.symlink_to(outside)
    with pytest.raises(TrackNotFound):
        library.audio(track.track_id)


def test_update_changes_sidecar_and_tags(store: ArtifactStore, library: Library) -> None:
    """An edit shows in the sidecar, the file's tags, the list and the etag; the audio
    and the other fields stay."""
    old = library.register("job-1", 0, produced(store))
    before = samples(library.audio(old.track_id)[1])
    edit = Edit(title="Über", artist="Ana", year=2024, tags=("a", "b"))
    new = library.update(old.track_id, edit, ["title", "artist", "year", "tags"], old.etag)
    assert (new.title, new.artist, new.genre, new.year, new.tags) == (
        "Über",
        "Ana",
        "lofi",
        2024,
        ("a", "b"),
    )
    assert new.etag != old.etag
    assert new.update_time_us > old.update_time_us
    assert new.create_time_us == old.create_time_us
    path = library.audio(new.track_id)[1]
    tags = TAGGED[Format.FLAC](path)
    assert tags["title"] == ["Über"]
    assert tags["date"] == ["2024"]
    assert json.loads(tags["musicgen_recipe"][0])["seed"] == 7
    assert np.array_equal(samples(path), before)
    assert new.size_bytes == path.stat().st_size
    assert library.get(new.track_id) == new
    assert library.page("uber ANA", 0, "").tracks == (new,)
    cleared = library.update(new.track_id, Edit(), ["year", "artist", "tags"], "")
    assert (cleared.year, cleared.artist, cleared.tags) == (None, "", ())
    assert "date" not in TAGGED[Format.FLAC](library.audio(new.track_id)[1])
    assert leftovers(store) == []


def test_a_stale_etag_is_a_conflict(store: ArtifactStore, library: Library) -> None:
    """Of two edits from the same state, the second is refused and changes nothing."""
    old = library.register("job-1", 0, produced(store))
    new = library.update(old.track_id, Edit(title="One"), [], old.etag)
    with pytest.raises(EditConflict):
        library.update(old.track_id, Edit(title="Two"), [], old.etag)
    assert library.get(old.track_id) == new
    assert library.update(old.track_id, Edit(title="One"), [], "") == new, "no change, no new etag"


def test_an_edit_by_hand_counts(store: ArtifactStore, library: Library) -> None:
    """A sidecar changed by a person is the truth at once: in get, list, search and etag."""
    old = library.register("job-1", 0, produced(store))
    path = folder_of(store, old) / "track.json"
    path.write_text(path.read_text().replace("Rainy Night", "By hand"))
    assert library.page("hand", 0, "").tracks == ()
    assert library.page("", 0, "").tracks[0].title == "By hand"
    assert library.page("hand", 0, "").tracks[0].title == "By hand"
    with pytest.raises(EditConflict):
        library.update(old.track_id, Edit(title="x"), [], old.etag)
    shutil.rmtree(folder_of(store, old))
    assert library.page("", 0, "").tracks == ()


@pytest.mark.parametrize("point", ["before edit.json", "before the audio", "before the sidecar"])
def test_an_edit_cut_short_is_carried_through(
    store: ArtifactStore, library: Library, point: str
) -> None:
    """Before edit.json is there the old state holds; after it the new one, in tags too."""
    old = library.register("job-1", 0, produced(store))
    folder = folder_of(store, old)
    audio = folder / "audio.flac"
    new = dataclasses.replace(old, title="New", update_time_us=old.update_time_us + 5)
    if point == "before edit.json":
        (folder / ".audio.flac.part").write_bytes(b"half")
        (folder / ".edit.json.1.2.part").write_text("{")
    else:
        files.write_json(folder / "edit.json", to_sidecar(new))
        if point == "before the audio":
            (folder / ".audio.flac.part").write_bytes(b"not durable, so of no use")
        else:
            tags = TAGGED[Format.FLAC](audio)
            tags["title"] = "New"
            tags.save()
    reopened(library)
    expected = "Rainy Night" if point == "before edit.json" else "New"
    track = library.get(old.track_id)
    assert track.title == expected
    assert TAGGED[Format.FLAC](audio)["title"] == [expected]
    assert track.size_bytes == audio.stat().st_size
    assert library.page(expected, 0, "").tracks == (track,)
    assert leftovers(store) == []


def test_one_damaged_track_does_not_hide_the_others(store: ArtifactStore, library: Library) -> None:
    """A damaged sidecar or edit is skipped and left in place; all else works."""
    bad = library.register("job-1", 0, produced(store))
    good = library.register("job-2", 0, produced(store, "job-2"))
    (folder_of(store, bad) / "track.json").write_text("{")
    (folder_of(store, bad) / "edit.json").write_text("{")
    reopened(library)
    assert library.page("", 0, "").tracks == (good,)
    with pytest.raises(TrackNotFound, match="damaged") as told:
        library.get(bad.track_id)
    assert str(store.root) not in told.value.message
    with pytest.raises(TrackNotFound, match="damaged"):
        library.update(bad.track_id, Edit(), [], "")
    assert (folder_of(store, bad) / "audio.flac").is_file()


def damage_missing(index: Path) -> None:
    """No index."""
    index.unlink()


def damage_garbage(index: Path) -> None:
    """Not SQLite."""
    index.write_bytes(b"garbage" * 1000)


def damage_middle(index: Path) -> None:
    """SQLite with broken pages."""
    data = bytearray(index.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    index.write_bytes(data)


def damage_version(index: Path) -> None:
    """Of a newer studio."""
    connection = sqlite3.connect(index)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def damage_rows(index: Path) -> None:
    """Rows are missing."""
    connection = sqlite3.connect(index)
    connection.execute("DELETE FROM tracks")
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    "damage", [damage_missing, damage_garbage, damage_middle, damage_version, damage_rows]
)
def test_the_index_is_only_derived(
    store: ArtifactStore, library: Library, damage: Callable[[Path], None]
) -> None:
    """Missing, garbage, corrupt, of another version or emptied: a start makes it anew."""
    tracks = [library.register(f"job-{n}", 0, produced(store, f"job-{n}")) for n in range(3)]
    library.close()
    damage(store.path("library/index.sqlite"))
    library.open()
    assert library.page("", 0, "").tracks == tuple(reversed(tracks))
    assert library.why_unusable() == ""


def test_an_index_deleted_while_running_comes_back(store: ArtifactStore, library: Library) -> None:
    """The next check of the health, or the next list, heals it."""
    track = library.register("job-1", 0, produced(store))
    for path in store.path("library").glob("index.sqlite*"):
        path.unlink()
    assert library.why_unusable() == ""
    assert library.page("", 0, "").tracks == (track,)
    assert store.path("library/index.sqlite").is_file()


def test_health_tells_when_the_library_is_gone(store: ArtifactStore, library: Library) -> None:
    """Without its folder or with an index that can't be opened, it says why; then it heals."""
    root = store.path("library")
    moved = root.with_name("elsewhere")
    root.rename(moved)
    root.write_text("a file in the way")
    assert "missing" in library.why_unusable()
    with pytest.raises((StudioError, OSError)):
        library.register("job-1", 0, produced(store))
    root.unlink()
    moved.rename(root)
    for path in root.glob("index.sqlite*"):
        path.unlink()
    (root / "index.sqlite").mkdir()
    assert "index" in library.why_unusable()
    with pytest.raises(StoreUnavailable):
        library.page("", 0, "")
    track = library.register("job-1", 0, produced(store))
    assert library.get(track.track_id) == track, "the files are the truth, also without an index"
    (root / "index.sqlite").rmdir()
    assert library.why_unusable() == ""
    assert library.page("", 0, "").tracks == (track,)


def test_a_read_only_library_is_told(short_tmp: Path) -> None:
    """Who may not write there gets the reason that health then logs."""
    store = ArtifactStore(short_tmp / "data")
    library = Library(store)
    library.open()
    short_tmp.chmod(0o755)
    library.shelf.root.chmod(0o555)
    me = os.geteuid()
    try:
        if me == 0:  # root may write anywhere
            os.seteuid(65_534)
        why = library.why_unusable()
    finally:
        os.seteuid(me)
        library.shelf.root.chmod(0o755)
    assert "not writable" in why
    assert library.why_unusable() == ""
    library.close()


def test_twenty_tracks_in_pages(store: ArtifactStore, library: Library) -> None:
    """Pages of seven: newest first, each track once, also while one is added; a search
    pages too, and its token fits no other query."""
    made = produced(store, frames=500)
    tracks = [
        library.register(
            f"job-{n}", 0, dataclasses.replace(made, title=f"{'even' if n % 2 == 0 else 'odd'} {n}")
        )
        for n in range(20)
    ]
    seen: list[str] = []
    token, sizes = "", []
    while True:
        page = library.page("", 7, token)
        seen += [track.track_id for track in page.tracks]
        sizes.append(len(page.tracks))
        token = page.next_token
        if not token:
            break
        if len(sizes) == 1:
            library.register("late", 0, made)
    assert sizes == [7, 7, 6]
    assert seen == [track.track_id for track in reversed(tracks)]
    first = library.page("EVEN lofi", 6, "")
    second = library.page("even  LOFI", 6, first.next_token)
    assert [len(first.tracks), len(second.tracks), second.next_token] == [6, 4, ""]
    with pytest.raises(InvalidField):
        library.page("odd", 6, first.next_token)
    assert library.page("café composer", 0, "").tracks == ()
    assert len(library.page("cafe warm", 0, "").tracks) == 21, "the prompt is searched"
    assert library.page("100% '; DROP TABLE tracks --", 0, "").tracks == ()
    with pytest.raises(InvalidField):
        library.page("x " * 400, 0, "")


@pytest.mark.parametrize(
    "track_id", ["", "x", "../job", "..", "A" * 16, "a" * 17, ".trash", "a/b", "é" * 16]
)
def test_ids_never_become_paths(library: Library, track_id: str) -> None:
    """What is no id is not found, whatever it spells."""
    for call in (library.get, library.delete, library.audio):
        with pytest.raises(TrackNotFound):
            call(track_id)
    with pytest.raises(TrackNotFound):
        library.update(track_id, Edit(title="x"), [], "")


def test_folder_of_another_track_is_not_believed(store: ArtifactStore, library: Library) -> None:
    """A copied folder whose sidecar names another track is not listed twice."""
    track = library.register("job-1", 0, produced(store))
    shutil.copytree(folder_of(store, track), store.path(f"library/{track_id_of('x', 0)}"))
    reopened(library)
    assert library.page("", 0, "").tracks == (track,)


def with_files(store: ArtifactStore, job_id: str = "job-1") -> Produced:
    """A track with a score and two stems."""
    return dataclasses.replace(produced(store, job_id), attachments=attached(store, job_id))


def test_files_lie_beside_the_audio(store: ArtifactStore, library: Library) -> None:
    """They are in the track's folder and its sidecar, survive an edit and the loss of the
    index, and go to the trash with the track. Nothing stays where the job's worker left it."""
    made = with_files(store)
    track = library.register("job-1", 0, made)
    names = ["score.mid", "stem-bass.flac", "d.flac"]
    assert [(file.name, file.sha256) for file in track.files] == [
        (one.name, one.sha256) for one in made.attachments
    ]
    folder = folder_of(store, track) / "files"
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    sidecar = json.loads((folder.parent / "track.json").read_text())
    assert [entry["name"] for entry in sidecar["files"]] == names
    assert library.register("job-1", 0, made) == track
    stages = store.path(store.stages_prefix("job-1"))
    stages.mkdir()
    (stages / "0123").write_bytes(b"half of it")
    library.discard_artifacts("job-1", made)
    assert not stages.exists()
    assert not any(path.is_file() for path in store.path("artifacts").rglob("*"))
    edited = library.update(track.track_id, Edit(title="Mine"), [], "")
    store.path("library/index.sqlite").unlink()
    (found,) = reopened(library).page("", 0, "").tracks
    assert found == edited
    assert found.files == track.files
    for file in track.files:
        _, same, path = library.file(track.track_id, file.name)
        assert (same, sha256_of(path), path.stat().st_size) == (file, file.sha256, file.size_bytes)
    library.delete(track.track_id)
    (trashed,) = (store.root / "library" / ".trash").iterdir()
    assert sorted(path.name for path in (trashed / "files").iterdir()) == sorted(names)
    assert leftovers(store) == []


def test_files_are_copied_where_there_are_no_links(
    store: ArtifactStore, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system without hard links, or artifacts on another disk, change nothing."""

    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    track = library.register("job-1", 0, with_files(store))
    for file in track.files:
        assert sha256_of(library.file(track.track_id, file.name)[2]) == file.sha256


def test_files_that_cannot_be_kept(store: ArtifactStore, library: Library) -> None:
    """A track with a file that is missing, other than promised or badly named is not
    registered at all."""
    good = with_files(store)
    score, *stems = good.attachments
    outside = store.path("library/score.mid")
    outside.write_bytes(b"MThd")
    wrong = [
        ({"artifact_key": "artifacts/job-1/1/none.mid"}, ArtifactNotFound),
        ({"artifact_key": "library/score.mid"}, ArtifactNotFound),
        ({"artifact_key": ""}, InvalidField),
        ({"sha256": "0" * 64}, ChecksumMismatch),
        ({"sha256": ""}, InvalidField),
        ({"name": "../score.mid"}, InvalidField),
        ({"name": "STEM-bass.flac"}, InvalidField),
        ({"name": ""}, InvalidField),
        ({"media_type": "audio/midi\r\nx: y"}, InvalidField),
    ]
    for changes, error in wrong:
        bad = (*stems, dataclasses.replace(score, **changes))
        with pytest.raises(error):
            library.register("job-1", 0, dataclasses.replace(good, attachments=bad))
    many = tuple(dataclasses.replace(score, name=f"{n}.mid") for n in range(65))
    with pytest.raises(InvalidField):
        library.register("job-1", 0, dataclasses.replace(good, attachments=many))
    assert library.page("", 0, "").tracks == ()
    assert leftovers(store) == []


def test_only_listed_files_are_given(store: ArtifactStore, library: Library) -> None:
    """Neither other files of the folder nor links out of it can be reached."""
    track = library.register("job-1", 0, with_files(store))
    folder = folder_of(store, track) / "files"
    (folder / "extra.mid").write_bytes(b"MThd")
    (folder / "d.flac").unlink()
    secret = store.root / "secret"
    secret.write_text("x")
    (folder / "d.flac").symlink_to(secret)
    for name in ("extra.mid", "d.flac", "../track.json", "", "none"):
        with pytest.raises(ArtifactNotFound):
            library.file(track.track_id, name)
    with pytest.raises(TrackNotFound):
        library.file("a" * 16, "score.mid")


def test_sidecars_from_before_there_were_files(store: ArtifactStore, library: Library) -> None:
    """A sidecar without the entry is that of a track without files."""
    track = library.register("job-1", 0, produced(store))
    path = folder_of(store, track) / "track.json"
    sidecar = json.loads(path.read_text())
    del sidecar["files"]
    path.write_text(json.dumps(sidecar))
    assert library.get(track.track_id) == track
    assert reopened(library).page("", 0, "").tracks == (track,)
