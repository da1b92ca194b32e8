"""The labels command: counts, overlap and pictures."""

from click.testing import CliRunner

from labelsearch.commands import main


def test_labels_prints_counts_and_overlap_and_draws(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setenv("LABELSEARCH_RUNS", str(tiny_run.folder.parent))
    monkeypatch.setenv("LABELSEARCH_STORE", str(tiny_run.store))
    (tmp_path / "tiny.toml").write_text(tiny_run.experiment.to_toml())
    result = CliRunner().invoke(main, ["labels", str(tmp_path / "tiny.toml")])
    assert result.exit_code == 0, result.output
    for words in ("train buy", "past unsettled", "horizon", "leg", "Overlap of labels", "3 extrema_1_0.1"):
        assert words in result.stdout.replace("\n", " ")
    folder = tiny_run.folder / "label_pictures"
    assert f"pictures: {folder}" in result.stdout
    assert len(list(folder.glob("*.png"))) == 3
