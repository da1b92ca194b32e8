"""``labelsearch bundle``: work with exported bundles."""

from pathlib import Path

import click

from labelsearch.commands.common import answer, json_option, one_line_errors


@click.group()
def bundle() -> None:
    """Check exported bundles.

    \b
    Example:
      labelsearch bundle verify winners
    """


@bundle.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@json_option
@one_line_errors
def verify(folder: Path, as_json: bool) -> None:
    """Verify the bundle in FOLDER against its manifest: every file present and unchanged, and no others.

    \b
    Example:
      labelsearch bundle verify winners
    """
    from labelsearch.live.verify import verify_bundle

    manifest = verify_bundle(folder)
    if as_json:
        answer(True, named={"bundle": folder, **vars(manifest)})
        return
    click.echo(f"{folder}: intact, {len(manifest.sha256)} files, Top-{manifest.tier} of run {manifest.run}")
