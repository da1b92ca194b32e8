"""Pages in a browser without a screen: scripts run, figures are drawn, tables sort."""

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess

import pytest

from labelsearch.delivery.page.compare_page import compare_page
from labelsearch.delivery.page.panel_page import panel_page
from labelsearch.delivery.page.report_page import report_page
from labelsearch.results.run import Results
from tests.delivery import panels

BROWSER = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), "")
NASTY = "<img src=x onerror=alert(1)>'&quot;</script>".replace("/", "")
ERRORS = """
window.problems = [];
window.addEventListener("error", function (e) { window.problems.push("error: " + e.message); });
window.addEventListener("unhandledrejection", function (e) { window.problems.push("promise: " + e.reason); });
document.addEventListener("securitypolicyviolation", function (e) { window.problems.push("policy: " + e.blockedURI); });
for (const kind of ["error", "warn"]) {
  console[kind] = function () { window.problems.push(kind + ": " + Array.from(arguments).join(" ")); };
}
"""
PROBE = """
(function wait() {
  if (document.documentElement.getAttribute("data-drawn") !== "all") { window.setTimeout(wait, 50); return; }
  const found = {};
  try { look(found); } catch (problem) { window.problems.push("probe: " + problem); }
  found.problems = window.problems;
  const out = document.createElement("pre");
  out.id = "probe";
  out.textContent = JSON.stringify(found);
  document.body.appendChild(out);
})();
function look(found) {
  function plots() {
    const all = Array.from(document.querySelectorAll(".plot"));
    return all.map(function (p) {
      return [p.id, p.closest("[hidden]") === null, p.querySelector("svg.main-svg") !== null];
    });
  }
  found.first = plots();
  document.querySelectorAll(".choice select").forEach(function (select) {
    for (const option of Array.from(select.options)) {
      select.value = option.value;
      select.dispatchEvent(new Event("change"));
    }
  });
  found.last = plots();
  const table = document.querySelector("table.sortable");
  const heads = Array.from(table.tHead.rows[0].cells);
  function cells(column) {
    return Array.from(table.tBodies[0].rows).map(function (r) { return r.cells[column].textContent; });
  }
  found.columns = heads.map(function (h, i) {
    const result = {title: h.textContent, numeric: h.classList.contains("num")};
    h.querySelector("button").click();
    result.first = cells(i);
    h.querySelector("button").click();
    result.second = cells(i);
    return result;
  });
  function axis(name) { return document.getElementById(name).layout.yaxis.type; }
  const log = document.querySelector('#features .variants button[data-variant="1"]');
  if (log) {
    found.before = axis("histogram-0");
    log.click();
    found.after = axis("histogram-0");
  }
  const ink = function () { return getComputedStyle(document.body).color; };
  const plotInk = function () { return document.querySelector(".plot").layout.font.color; };
  found.light = [ink(), plotInk()];
  document.getElementById("theme").click();
  found.dark = [ink(), plotInk()];
  window.dispatchEvent(new Event("beforeprint"));
  const plot = document.querySelector(".plot").layout;
  found.printed = [plot.font.color, plot.width];
  window.dispatchEvent(new Event("afterprint"));
  found.after_print = [plotInk(), document.querySelector(".plot").layout.autosize];
  found.images = document.images.length;
  found.title = document.querySelector("h1").textContent;
  found.wider = document.documentElement.scrollWidth - window.innerWidth;
}
"""


def allowed(page: str, *scripts: str) -> str:
    """The page with more scripts in its policy."""
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    return page.replace("script-src ", "script-src " + "".join(f"'sha256-{digest}' " for digest in hashes), 1)


def probed(page: str, folder, width: int = 1366) -> dict:
    """What the probe finds once all figures are drawn."""
    if not BROWSER:
        pytest.skip("no chromium: install it to test pages in a browser")
    page = allowed(page, ERRORS, PROBE)
    page = page.replace("<style>", f"<script>{ERRORS}</script>\n<style>", 1)
    head, _, tail = page.rpartition("</body>")
    path = folder / "probed.html"
    path.write_text(f"{head}<script>{PROBE}</script></body>{tail}", encoding="utf-8")
    command = [
        BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        f"--user-data-dir={folder / 'profile'}", f"--window-size={width},900", "--virtual-time-budget=60000",
        "--dump-dom", f"{path.as_uri()}#theme=light",
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    found = re.search(r'(?s)<pre id="probe">(.*?)</pre>', result.stdout)
    assert found, result.stderr[-2000:]
    return json.loads(html.unescape(found[1]))


@pytest.fixture(scope="module")
def found(tiny_run, tmp_path_factory):
    """The report of a run whose folder has a nasty name."""
    root = tmp_path_factory.mktemp("browser")
    shutil.copytree(tiny_run.folder, root / "runs" / NASTY)
    results = Results(root / "runs" / NASTY, tiny_run.store)
    results.bars = tiny_run.bars
    return probed(report_page(results), root)


def test_no_errors_and_nothing_blocked(found):
    assert found["problems"] == []


def test_every_figure_is_drawn_when_it_is_seen(found):
    assert len(found["first"]) > 10
    for name, seen, drawn in found["first"]:
        assert drawn == seen, name
    assert all(drawn for _, _, drawn in found["last"])
    assert sum(seen for _, seen, _ in found["last"]) < len(found["last"])


def test_tables_sort_by_each_column(found):
    for column in found["columns"]:
        if column["numeric"]:
            known = [cell for cell in column["first"] if cell != "-"]
            assert column["first"] == known + ["-"] * (len(column["first"]) - len(known))  # what is missing comes last
            falling = [float(cell.split("±")[0].replace(",", "")) for cell in known]
            assert falling == sorted(falling, reverse=True)
            rising = [float(cell.split("±")[0].replace(",", "")) for cell in column["second"][: len(known)]]
            assert rising == falling[::-1]
    names = found["columns"][0]["first"]
    assert names.index("buy and hold") < names.index("Top-5") < names.index("Top-20")
    assert sorted(set(names), key=names.index) == sorted(set(names), key=names[::-1].index, reverse=True)
    assert list(dict.fromkeys(found["columns"][0]["second"])) == list(dict.fromkeys(names))[::-1]


def test_buttons_change_figures(found):
    assert (found["before"], found["after"]) == ("linear", "log")


def test_figures_follow_the_theme(found):
    assert found["light"] == ["rgb(29, 36, 48)", "#1d2430"]
    assert found["dark"] == ["rgb(228, 232, 238)", "#e4e8ee"]


def test_figures_are_printed_light_and_fit_the_page(found):
    assert found["printed"] == ["#1d2430", 680]
    assert found["after_print"] == ["#e4e8ee", True]


def test_names_of_users_stay_text(found):
    assert found["images"] == 0
    assert found["title"] == f"Run {NASTY}"


def test_a_comparison_on_a_narrow_screen(tiny_run, tmp_path):
    found = probed(compare_page([tiny_run, tiny_run]), tmp_path, width=800)
    assert found["problems"] == []
    assert all(drawn for _, _, drawn in found["last"])
    assert found["wider"] <= 0


@pytest.mark.parametrize(
    ("width", "markets", "n_splits"),
    [(1366, [f"COIN{i}USDT" for i in range(33)], 12), (800, ["BTC", NASTY, "ETH"], 4), (500, ["BTC"], 5)],
)
def test_the_page_of_a_panel(tiny_panel, tmp_path, width, markets, n_splits):
    results = panels.drawn(tiny_panel, markets, n_splits, seeds=2, gaps=len(markets) > 1)
    found = probed(panel_page(results), tmp_path, width)
    assert found["problems"] == []
    assert {name for name, _, _ in found["first"]} == {
        "stitched-equity", "cells-20", "cells-5", "power-years", "seeds-spread",
    }  # fmt: skip
    assert all(drawn == seen for _, seen, drawn in found["first"])
    assert all(drawn for _, _, drawn in found["last"])
    assert found["wider"] <= 0
    assert found["images"] == 0
