"""The style sheet of a page: light, dark and printed."""

DARK = """
  --paper: #14181f; --ink: #e4e8ee; --muted: #9aa4b2; --rule: #313947; --soft: #1c222b; --link: #7cc4f0;
  color-scheme: dark;
"""

CSS = f"""
:root {{
  --paper: #ffffff; --ink: #1d2430; --muted: #5a6473; --rule: #dde1e7; --soft: #f4f6f8; --link: #005a94;
  color-scheme: light;
}}
@media screen {{
  :root[data-theme="dark"] {{ {DARK} }}
}}
@media screen and (prefers-color-scheme: dark) {{
  :root:not([data-theme]) {{ {DARK} }}
}}
* {{ box-sizing: border-box; }}
html {{ scroll-padding-top: 1rem; }}
body {{
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
  display: grid; grid-template-columns: 190px minmax(0, 1fr);
}}
nav {{
  position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.4rem .5rem 1rem 1.2rem;
  border-right: 1px solid var(--rule); background: var(--soft); font-size: 14px;
}}
nav a {{ display: block; padding: .2rem 0; color: var(--ink); text-decoration: none; }}
nav a:hover, nav a:focus-visible {{ color: var(--link); text-decoration: underline; }}
nav button {{ margin-top: 1rem; }}
main {{ padding: 1.4rem 2rem 4rem; max-width: 1240px; min-width: 0; }}
h1 {{ font-size: 1.6rem; margin: 0; overflow-wrap: anywhere; line-height: 1.25; }}
h2 {{ font-size: 1.25rem; margin: 0 0 .3rem; padding-top: 2.2rem; }}
h3 {{ font-size: 1rem; margin: 1.4rem 0 .35rem; }}
h4 {{ font-size: .9rem; margin: .4rem 0 .1rem; overflow-wrap: anywhere; }}
.lead, .subtitle {{ color: var(--muted); margin: .1rem 0 .8rem; max-width: 52rem; overflow-wrap: anywhere; }}
.words {{ max-width: 52rem; }}
.note, figcaption, .muted {{ color: var(--muted); font-size: 13.5px; margin: .3rem 0 1rem; max-width: 58rem; }}
code, pre {{ font: 13px/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }}
code {{ background: var(--soft); padding: .1rem .3rem; border-radius: 3px; }}
pre {{ background: var(--soft); padding: .8rem; overflow-x: auto; border-radius: 4px; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; min-width: 40%; }}
th, td {{ padding: .28rem .55rem; border-bottom: 1px solid var(--rule); vertical-align: top; text-align: left; }}
th {{ border-bottom: 2px solid var(--rule); font-weight: 600; vertical-align: bottom; }}
.num {{ text-align: right; white-space: nowrap; }}
th.num {{ white-space: normal; min-width: 4rem; }}
.sortable td.txt {{ white-space: nowrap; }}
.sortable tbody tr:hover {{ background: var(--soft); }}
.prose td small {{ display: block; color: var(--muted); font-size: 13px; max-width: 27rem; }}
.prose td:first-child {{ min-width: 17rem; }}
.prose td:nth-child(2) {{ white-space: nowrap; }}
.prose td:last-child {{ white-space: normal; overflow-wrap: anywhere; }}
th button {{ all: unset; cursor: pointer; font-weight: 600; }}
th button:focus-visible {{ outline: 2px solid var(--link); outline-offset: 2px; }}
th[aria-sort="ascending"] button::after {{ content: " \\25B2"; font-size: .7em; }}
th[aria-sort="descending"] button::after {{ content: " \\25BC"; font-size: .7em; }}
figure {{ margin: 1rem 0 1.4rem; min-width: 0; }}
.plot {{ width: 100%; }}
.grid {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(270px, 100%), 1fr)); gap: .2rem 1.2rem; }}
.wide-grid {{ grid-template-columns: repeat(auto-fill, minmax(min(400px, 100%), 1fr)); }}
.grid figure {{ margin: .2rem 0; }}
.variants {{ margin: .2rem 0; }}
.variants button, nav button, select {{
  font: inherit; font-size: 13.5px; color: var(--ink); background: var(--paper); border: 1px solid var(--rule);
  border-radius: 4px; padding: .15rem .6rem; margin-right: .3rem; cursor: pointer;
}}
.variants button[aria-pressed="true"] {{ background: var(--ink); color: var(--paper); border-color: var(--ink); }}
.choice > label {{ font-weight: 600; }}
.choice select {{ max-width: 100%; }}
.tiles {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(160px, 1fr)); gap: .8rem; margin: .8rem 0; }}
.tiles div {{ background: var(--soft); border-radius: 6px; padding: .7rem .9rem; }}
.tiles span, .tiles small {{ display: block; color: var(--muted); font-size: 13px; }}
.tiles strong {{ display: block; font-size: 1.3rem; line-height: 1.3; font-variant-numeric: tabular-nums; }}
summary {{ cursor: pointer; margin: .6rem 0; }}
@media screen and (max-width: 1050px) {{
  html {{ scroll-padding-top: 3.2rem; }}
  body {{ display: block; }}
  nav {{
    height: auto; display: flex; align-items: center; gap: 1rem; padding: .5rem 1rem; overflow-x: auto; z-index: 5;
    white-space: nowrap; border-right: 0; border-bottom: 1px solid var(--rule);
  }}
  nav button {{ margin: 0; flex: none; order: -1; }}
  main {{ padding: 1rem; }}
}}
@media screen and (max-width: 700px) {{
  /* prose in columns would be a word wide here: one cell below the other */
  .prose thead {{ display: none; }}
  .prose tr {{ display: block; border-bottom: 1px solid var(--rule); padding: .3rem 0; }}
  .prose td {{ display: block; border: 0; padding: .1rem 0; min-width: 0; white-space: normal; }}
}}
@media print {{
  @page {{ margin: 14mm; }}
  body {{ display: block; font-size: 10.5pt; }}
  nav, .variants, .modebar-container {{ display: none !important; }}
  .choice select {{ appearance: none; border: 0; padding: 0; }}
  main {{ padding: 0; max-width: none; }}
  section {{ break-inside: auto; }}
  h2, h3, h4, .lead {{ break-after: avoid; }}
  details:not([open]) {{ display: none; }}
  #tiers, #strategies, #labels, #features, #classifiers, #provenance {{ break-before: page; }}
  #tiers {{ break-before: auto; }}
  figure, tr, .tiles div {{ break-inside: avoid; }}
  .wide {{ overflow: visible; }}
  table {{ font-size: 8.5pt; }}
  th, td {{ padding: .15rem .35rem; }}
  .num, .sortable td.txt, .prose td:nth-child(2) {{ white-space: normal; }}
  .plot {{ pointer-events: none; }}
  .grid {{ grid-template-columns: repeat(2, 1fr); }}
}}
"""
