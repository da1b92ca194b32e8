"""Pictures of labels: one for each, of train alone."""

import dataclasses

import pytest

from labelsearch.delivery.pictures.labels import write_label_pictures
from labelsearch.results.run import Results


def pictures(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def folder(tiny_run):
    yield tiny_run.folder / "label_pictures"
    for path in (tiny_run.folder / "label_pictures").iterdir():
        path.unlink()
    (tiny_run.folder / "label_pictures").rmdir()


def test_a_picture_for_each_label_and_nothing_after_train_in_it(tiny_run, folder):
    assert write_label_pictures(tiny_run) == folder
    found = pictures(folder)
    assert set(found) == {f"{label.name}.png" for label in tiny_run.experiment.label_kinds()}
    assert all(picture.startswith(b"\x89PNG") for picture in found.values())

    def drawn_with(first_changed):
        other = Results(tiny_run.folder, tiny_run.store)
        other.labels = dataclasses.replace(tiny_run.labels, counts=tiny_run.labels.counts[:1])
        close = tiny_run.bars.close.copy()
        close[first_changed:] *= 5.0
        other.bars = dataclasses.replace(tiny_run.bars, close=close)
        write_label_pictures(other)
        return pictures(folder)

    stop = tiny_run.rows("train").stop
    same, changed = drawn_with(stop), drawn_with(stop // 2)
    assert len(same) == 1
    for name, picture in same.items():
        assert picture == found[name]
        assert picture != changed[name]
