"""What the documents show works: commands are run on small inputs or parsed, examples are executed and proved."""

import re
import shlex
import shutil
import signal
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import click
import pytest
from click.testing import CliRunner, Result

from feature_space import formulas, indicators, proof
from labelsearch.classifiers import kinds as network_kinds
from labelsearch.classifiers import networks
from labelsearch.classifiers.proof import prove_network
from labelsearch.commands import main
from labelsearch.labels import kinds as label_kinds
from labelsearch.labels.proof import prove_label
from labelsearch.market.store import Store
from labelsearch.market.synthetic import synthetic_bars
from labelsearch.settings.experiment import Experiment
from labelsearch.settings.own import OwnFileError, activate, extensions
from labelsearch.settings.presets import preset
from strategies.search import score
from tests.market.fetching.archive_server import rows, zipped

ROOT = Path(__file__).parents[1]
EXTENDING, CONTRIBUTING = ROOT / "docs" / "EXTENDING.md", ROOT / "CONTRIBUTING.md"
PAGES = [ROOT / "README.md", CONTRIBUTING, *sorted((ROOT / "docs").glob("*.md"))]
MARKS = (
    "<!-- needs the internet -->",
    "<!-- needs own files -->",
    "<!-- needs a cluster -->",
    "<!-- runs until ctrl-C -->",
)
FENCE = re.compile(r"^```(\w*)$")
# Numbers that would take minutes.
SMALLER = {"--search-seeds": "1", "--classifier-seeds": "0", "--repeats": "2", "--strategies": "40"}
LEFT_OUT = ("..", "┏", "┃", "┡", "│", "└")  # what stands for more lines; tables, whose columns follow their figures
ELSEWHERE = {"demo": "run whole by tests/test_demo.py"}


class Step(NamedTuple):
    """A command line, and the lines of output shown below it."""

    command: str
    shown: list[str]


class Block(NamedTuple):
    """A block of a page; a marked one is not run."""

    line: int
    marked: bool
    steps: list[Step]


def blocks(page: Path) -> Iterator[Block]:
    """Blocks of shell commands: ```console with ``$`` before each, ```sh and ```bash without."""
    lines = page.read_text().splitlines()
    opened: int | None = None
    for i, line in enumerate(lines):
        fence = FENCE.match(line)
        if fence is None:
            continue
        if opened is None:
            opened = i
            continue
        kind = FENCE.match(lines[opened])[1]
        if kind in ("console", "sh", "bash"):
            found = steps(lines[opened + 1 : i], prompt=kind == "console")
            yield Block(opened + 1, lines[opened - 1] in MARKS, found)
        opened = None
    assert opened is None, f"{page.name}: a block is not closed"


def steps(lines: list[str], prompt: bool) -> list[Step]:
    found: list[Step] = []
    for line in lines:
        if prompt and not line.startswith("$ "):
            found[-1].shown.append(line)
        elif line.strip():
            found.append(Step(line.removeprefix("$ "), []))
    return found


def simple_commands(line: str) -> list[list[str]]:
    """The words of each command of a line, which ``&&`` may join."""
    found: list[list[str]] = [[]]
    for word in shlex.split(line, comments=True):
        assert word not in ("|", "<", ">", ";", "&"), f"cannot be tested: {line}"
        if word == "&&":
            found.append([])
        else:
            found[-1].append(word)
    return found


def parse(words: list[str], whole: bool = True) -> None:
    """Let click judge a command line without running it; one that is not whole may lack arguments."""
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        assert words[0] in command.commands, f"there is no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    if isinstance(command, click.Group) and not words:
        assert not whole, f"{command.name} is no command by itself"
        return
    try:
        command.make_context(command.name, list(words))
    except click.exceptions.Exit:
        pass  # --help
    except click.MissingParameter:
        assert not whole, f"{command.name} lacks an argument"


def extras() -> set[str]:
    return set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])


@pytest.fixture(scope="module")
def made(tiny_run, tmp_path_factory) -> Path:
    """A folder with what pages take for granted: runs, bars in the store and in files, an experiment, a bundle."""
    home = tmp_path_factory.mktemp("docs")
    quick = preset("quick")
    (home / "runs").mkdir()
    shutil.copy(tiny_run.folder.parent / "looks.jsonl", home / "runs")
    shutil.copytree(tiny_run.folder, home / "runs" / tiny_run.folder.name)
    for name in (quick.run_id, replace(quick, name="demo").run_id, preset("paper").run_id, "other-00000000"):
        shutil.copytree(tiny_run.folder, home / "runs" / name)
    (home / "experiment.toml").write_text(tiny_run.experiment.to_toml())

    day = synthetic_bars(1440, 1, start="2018-01-01", symbol="BTCUSDT")
    (home / "BTCUSDT-1m-2018-01-01.zip").write_bytes(zipped("BTCUSDT-1m-2018-01-01.csv", rows(day)))
    day.to_frame().reset_index().to_parquet(home / "btcusdt_1m.parquet")
    Store(home / "store").add(synthetic_bars(8 * 1440, 2, start="2020-09-12", symbol="BTCUSDT"))
    frame = synthetic_bars(8 * 1440, 3, start="2018-04-24").to_frame()
    frame.to_parquet(home / "bars.parquet")
    broken = frame.head(3).assign(high=[frame["high"].iloc[0], 1.0, frame["high"].iloc[2]])
    broken.to_csv(home / "broken.csv")

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        for command in ("run experiment.toml --workers 1", "export demo --out winners"):  # run: the null is done, too
            assert CliRunner().invoke(main, command.split()).exit_code == 0
    return home


@pytest.fixture
def home(made, tmp_path, monkeypatch) -> Iterator[Path]:
    """A copy, to work in."""
    shutil.copytree(made, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    for name in ("LABELSEARCH_RUNS", "LABELSEARCH_STORE", "LABELSEARCH_ARCHIVE_URL"):
        monkeypatch.delenv(name, raising=False)
    before = signal.getsignal(signal.SIGTERM)
    yield tmp_path / "home"
    signal.signal(signal.SIGTERM, before)


def run_labelsearch(words: list[str], experiment: str) -> Result:
    """Run one command line of a page on small things."""
    name = words[0]
    arguments = []
    for before, word in zip(["", *words], words, strict=False):
        found = sorted(path.name for path in Path().glob(word)) if "*" in word else []
        arguments += found or [SMALLER.get(before, word)]
    if any(option.name == "workers" for option in main.commands[name].params) and "--workers" not in words:
        arguments += ["--workers", "1"]
    if name == "export":
        shutil.rmtree(words[words.index("--out") + 1], ignore_errors=True)
    if name == "init":
        Path("experiment.toml").unlink()
    result = CliRunner().invoke(main, arguments)
    if name == "init":
        Path("experiment.toml").write_text(experiment)
    return result


def run_command(words: list[str], shown: list[str], experiment: str) -> str:
    """Run one command of a page and give back what it printed."""
    program, arguments = words[0], words[1:]
    if program == "labelsearch":
        if arguments[0] in ELSEWHERE:
            parse(arguments)
            return "\n".join(shown)
        result = run_labelsearch(arguments, experiment)
        refused = any(line.startswith("Error:") for line in shown)
        assert result.exit_code == (2 if refused else 0), result.output
        return result.output
    if program == "ls":
        return "\n".join(sorted(path.name for path in Path(*arguments).iterdir()))
    if program == "python" and arguments[0] == "-c":
        exec(compile(arguments[1], "<document>", "exec"), {})
        return ""
    check_other(words)
    return "\n".join(shown)


def check_other(words: list[str]) -> None:
    """What is not run anywhere: it changes the environment or the shell that the tests run in."""
    if words[0] == "make":
        targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
        assert set(words[1:]) <= targets
    elif words[:2] == ["pip", "install"]:
        for extra in re.findall(r"labelsearch\[(.*?)\]", " ".join(words)):
            assert extra in extras()
    elif words[0] == "python" and words[1] != "-c":
        assert (ROOT / words[1]).is_file()
    elif words[0] == "ray":
        from ray.scripts.scripts import cli

        cli.commands[words[1]].make_context(words[1], words[2:])
    else:
        assert words == [".", ".venv/bin/activate"], f"neither run nor known: {shlex.join(words)}"


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_run(page, home, tiny_experiment):
    for block in blocks(page):
        for step in block.steps if not block.marked else ():
            told = f"{page.name}, block at line {block.line}: {step.command}"
            try:
                commands = simple_commands(step.command)
                printed = "\n".join(run_command(words, step.shown, tiny_experiment.to_toml()) for words in commands)
            except (Exception, SystemExit) as error:
                raise AssertionError(f"{told}: {error}") from error
            if commands[0][0] == "ls":
                assert " ".join(step.shown).split() == printed.split(), told
                continue
            starts = iter([line.split() for line in printed.splitlines() if line.strip()])
            for line in step.shown:
                if line.startswith(LEFT_OUT):
                    continue
                first = line.split()[0]
                assert any(words[0] == first for words in starts), f"{told}: {first} is not printed, or not in order"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_marked_commands_parse(page):
    for block in blocks(page):
        for step in block.steps if block.marked else ():
            for words in simple_commands(step.command):
                if words[0] == "labelsearch":
                    parse(words[1:])
                else:
                    check_other(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_sentences_parse(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    for line in re.findall(r"`labelsearch\s([^`]*)`", text):
        parse(shlex.split(line), whole=False)


def test_examples_of_the_help_parse():
    def walk(group: click.Group) -> Iterator[click.Command]:
        for command in group.commands.values():
            yield command
            if isinstance(command, click.Group):
                yield from walk(command)

    examples = [
        line.split(">")[0]
        for command in walk(main)
        for line in re.findall(r"^ +labelsearch (.*)$", (command.help or "").split("Example:")[-1], re.M)
    ]
    assert len(examples) > 30
    for example in examples:
        parse(shlex.split(example))


def test_marks_stand_before_blocks():
    for page in PAGES:
        lines = page.read_text().splitlines()
        for line, following in zip(lines, [*lines[1:], ""], strict=True):
            if line.startswith("<!--"):
                assert line in MARKS, f"{page.name}: {line}"
                assert FENCE.match(following), f"{page.name}: {line} marks nothing"


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CLI.md"], ids=lambda page: page.name)
def test_folders_of_runs_have_their_names(page):
    quick = preset("quick")
    known = {quick.run_id, replace(quick, name="demo").run_id, preset("paper").run_id}
    assert set(re.findall(r"\b(?:demo|quick|paper)-[0-9a-f]{8}\b", page.read_text())) <= known


def test_the_commands_are_found():
    found = {
        words[1]
        for page in PAGES
        for block in blocks(page)
        for step in block.steps
        for words in simple_commands(step.command)
        if words[0] == "labelsearch"
    }
    assert {"data", "init", "run", "compare", "null", "seeds", "export", "bundle", "signal", "live"} <= found


@pytest.mark.parametrize(
    "line", ["run", "run a b", "rum a", "run a --worked 2", "seeds a --search-seeds x", "runs", "data"]
)
def test_what_does_not_parse(line):
    with pytest.raises((click.UsageError, AssertionError)):
        parse(line.split())


def fenced(page: Path, kind: str) -> dict[str, list[str]]:
    """Contents of the blocks of a kind, by the title of their section."""
    found: dict[str, list[str]] = {}
    title = ""
    for part in re.split(r"^(## [^\n]*\n|```.*?^```$)", page.read_text(), flags=re.M | re.S):
        if part.startswith("## "):
            title = part[3:].strip()
        elif part.startswith(f"```{kind}\n"):
            found.setdefault(title, []).append(part.removeprefix(f"```{kind}\n").removesuffix("```"))
    return found


def own_entries() -> dict[str, list[str]]:
    """Names of entries from own files, by the name of their list."""
    return {x.listed_as: names for x in extensions() if (names := [n for n, e in x.registry.items() if e.origin])}


@pytest.mark.parametrize("title", fenced(EXTENDING, "python"))
def test_own_files_of_the_document_work(title, tmp_path):
    """Each example is a file that passes its proof, with settings that use it."""
    (text,) = fenced(EXTENDING, "python")[title]
    (settings,) = fenced(EXTENDING, "toml")[title]
    (tmp_path / "mine.py").write_text(text)
    (tmp_path / "experiment.toml").write_text(f'own = ["mine.py"]\n{settings}')
    experiment = Experiment.load(tmp_path / "experiment.toml")
    assert own_entries() == {}
    try:
        experiment.activate()
        found = own_entries()
        (listed,) = re.findall(r"^([A-Z_]+) = \[", text, re.M)
        assert list(found) == [listed]
        assert all(f'"{name}"' in settings for name in found[listed]), settings
    finally:
        activate([])
    assert own_entries() == {}


def test_a_rejected_file_leaves_nothing_behind(tmp_path):
    (text,) = fenced(EXTENDING, "python")["Scores"]
    (tmp_path / "good.py").write_text(text)
    (tmp_path / "bad.py").write_text(text.replace("frugal", "other").replace("extra_cost_pct}", "extra_cost_pct[:1]}"))
    with pytest.raises(OwnFileError, match=r"bad\.py: score 'other'"):
        activate([tmp_path / "good.py", tmp_path / "bad.py"])
    assert own_entries() == {}


def test_a_class_that_a_file_imports_is_rejected(tmp_path):
    """It would be marked as the user's own, and be lost with the file."""
    (tmp_path / "mine.py").write_text("from labelsearch.labels.threshold import Threshold\nLABELS = [Threshold]\n")
    with pytest.raises(OwnFileError, match="Threshold is imported"):
        activate([tmp_path / "mine.py"])
    assert label_kinds.KINDS["threshold"].origin == ""


def test_every_list_of_own_files_has_an_example():
    text = EXTENDING.read_text()
    for extension in extensions():
        assert re.search(rf"^{extension.listed_as} = \[", text, re.M), extension.listed_as


def add_label(monkeypatch: pytest.MonkeyPatch, blocks: list[str]) -> None:
    names: dict[str, Any] = {"__name__": "labelsearch.labels.direction"}
    exec(blocks[0], names)
    kind = names["Direction"]
    prove_label(kind)
    label_kinds.KINDS.register(kind)
    assert label_kinds.make_label("direction", move=0.01, horizon=5).name == "direction_1_5"


def add_indicator(monkeypatch: pytest.MonkeyPatch, blocks: list[str]) -> None:
    kernel, row = blocks
    names = dict(vars(formulas))
    exec(kernel.replace("cache=True, ", ""), names)  # there is no file to keep compiled code beside
    indicator = eval(f"({row})", {**vars(indicators), "f": SimpleNamespace(**names)})
    proof.prove_indicator(indicator)
    indicators.BY_NAME.register(indicator)
    assert indicators.BY_NAME.find(indicator.name) is indicator


def add_network(monkeypatch: pytest.MonkeyPatch, blocks: list[str]) -> None:
    builder, row = blocks
    names = dict(vars(networks))
    exec(builder, names)
    kind = eval(f"({row})", dict(vars(network_kinds)))
    monkeypatch.setattr(networks, kind.name, names[kind.name], raising=False)
    prove_network(kind)
    network_kinds.NETWORKS.register(kind)
    assert network_kinds.NETWORKS.find(kind.name) is kind


def add_score(monkeypatch: pytest.MonkeyPatch, blocks: list[str]) -> None:
    names = dict(vars(score))
    exec(blocks[0], names)
    score.SCORES.register(names["FrugalScore"])  # proves it
    assert score.make_score("frugal", cost_pct=0.5).cost_pct == 0.5


ADDED: dict[str, Callable[[pytest.MonkeyPatch, list[str]], None]] = {
    "Adding a label kind": add_label,
    "Adding an indicator": add_indicator,
    "Adding a network": add_network,
    "Adding a score": add_score,
}


@pytest.mark.parametrize("title", ADDED)
def test_examples_of_contributing_work(title, monkeypatch, registries):
    ADDED[title](monkeypatch, fenced(CONTRIBUTING, "python")[title])


def test_examples_of_contributing_are_all_executed():
    assert set(fenced(CONTRIBUTING, "python")) == set(ADDED)


def test_rows_that_contributing_replaces_are_there():
    for blocks_of_section in fenced(CONTRIBUTING, "diff").values():
        for block in blocks_of_section:
            head, *lines = block.splitlines()
            there = (ROOT / head.removeprefix("--- ")).read_text().splitlines()
            removed = [line[1:] for line in lines if line.startswith("-")]
            assert removed, f"{head} replaces nothing"
            assert set(removed) <= set(there), head
            for line in lines:
                assert line.startswith(("-", "+")), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_in_documents_exist(page):
    """Of links to other documents, and of source files named with their folder."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert "://" in target or (page.parent / target).exists(), target
    for named in re.findall(r"`((?:labelsearch|feature_space|strategies|tests|benchmarks)/[\w/]+(?:\.py|/))`", text):
        assert (ROOT / named).exists(), named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_sections_lead_somewhere(page):
    for target, section in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
        linked = page.parent / target if target else page
        titles = re.findall(r"^#+ (.*)$", linked.read_text(), re.M)
        assert section in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}, section


def test_the_bundle_reference_is_up_to_date():
    from labelsearch.live.schema import reference

    assert (ROOT / "docs" / "BUNDLE.md").read_text().endswith("\n" + reference().strip() + "\n")
