"""Pictures of labels: one for each, of train alone."""

import dataclasses

import numpy as np
import pytest

from labelsearch.delivery.label_plots import busiest_stretch, write_label_pictures
from labelsearch.pipeline.context import Context


def pictures(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_busiest_stretch():
    marked = np.ones(100, dtype=np.int8)
    marked[[31, 33, 35, 36]] = 0
    marked[[32, 38]] = 2
    marked[70:79] = 0
    # 6 of both sides count more than 9 of one
    assert busiest_stretch(marked, 10) == slice(30, 40)
    assert busiest_stretch(marked, 1000) == slice(0, 100)
    assert busiest_stretch(np.ones(100, dtype=np.int8), 10) == slice(0, 10)


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
        one = dataclasses.replace(tiny_run.experiment, label=tiny_run.experiment.label[:1])
        other = Context(one, tiny_run.folder, tiny_run.store)
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
