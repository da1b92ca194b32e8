"""One file that holds a whole page: text, style, figures and the code that draws them."""

import base64
import hashlib
import json
from collections.abc import Sequence

from labelsearch.delivery.page.blocks import Section, figures_of, section_html, text
from labelsearch.delivery.page.script import SCRIPT
from labelsearch.delivery.page.style import CSS

NO_SCRIPT = "Charts need JavaScript, which is off here; all tables are complete without it."


def _hash(script: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() + "'"


def _figures_json(sections: Sequence[Section]) -> str:
    figures = {
        figure.name: {
            "data": figure.data,
            "layout": figure.layout,
            "height": figure.height,
            "variants": [variant.changes for variant in figure.variants],
        }
        for section in sections
        for figure in figures_of(section.blocks)
    }
    found = json.dumps(figures, separators=(",", ":"), allow_nan=False)
    return found.replace("<", "\\u003c")  # nothing in it can end the script


def page(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """A page of sections, with plotly's code in it once.

    A policy in its head lets a browser run only these scripts and fetch nothing at all.
    """
    from plotly.offline import get_plotlyjs

    plotly = get_plotlyjs()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; "
        f"script-src {_hash(plotly)} {_hash(SCRIPT)}"
    )
    links = "\n".join(f'<a href="#{section.name}">{text(section.title)}</a>' for section in sections)
    body = "\n".join(section_html(section) for section in sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{text(title)}</title>
<style>{CSS}</style>
</head>
<body>
<nav aria-label="Contents">
{links}
<button type="button" id="theme">Dark</button>
</nav>
<main>
<h1>{text(title)}</h1>
<p class="subtitle">{text(subtitle)}</p>
<noscript><p class="muted">{NO_SCRIPT}</p></noscript>
{body}
</main>
<script type="application/json" id="figures">{_figures_json(sections)}</script>
<script>{plotly}</script>
<script>{SCRIPT}</script>
</body>
</html>
"""
