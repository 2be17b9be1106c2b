"""How the page looks, in light and in dark, and the one thing it needs a script for."""

from __future__ import annotations

CSS = """
:root { color-scheme: light dark; --paper: #fbfbfa; --card: #fff; --ink: #1c1e21; --dim: #5c636d;
  --line: #e2e4e8; --accent: #2f5fb3; --soft: #eaf0fa; --good: #19703a; --code: #f3f4f6; }
@media (prefers-color-scheme: dark) { :root { --paper: #131519; --card: #1b1e24; --ink: #e6e8eb;
    --dim: #9aa3af;
  --line: #2f343d; --accent: #8fb4f5; --soft: #232c3d; --good: #6fcf8f; --code: #12151a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main, header, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.5rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.02em; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .8rem; }
h3 { font-size: 1rem; margin: 0 0 .3rem; }
p { margin: .3rem 0; } a { color: var(--accent); text-underline-offset: .18em;
  text-decoration-color: color-mix(in srgb, currentColor 35%, transparent); }
a:hover { text-decoration-color: currentColor; }
.lead { font-size: 1.1rem; color: var(--dim); max-width: 44rem; margin: 0 0 1rem; }
.dim { color: var(--dim); } .good { color: var(--good); } small, .small { font-size: .86rem; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .86rem; }
code { overflow-wrap: anywhere; }
pre { background: var(--code); border: 1px solid var(--line); border-radius: .5rem; margin: .7rem 0 0;
  padding: .8rem .9rem; overflow-x: auto; line-height: 1.6; }
.chip { display: inline-block; padding: .05rem .55rem; border-radius: 1rem; background: var(--soft);
  color: var(--accent); font-size: .8rem; font-weight: 500; white-space: nowrap; }
.copied { position: relative; min-width: 0; }
.copied pre { padding-right: 4.6rem; }
button { font: inherit; font-size: .78rem; color: var(--accent); background: var(--card); cursor: pointer;
  border: 1px solid var(--line); border-radius: .4rem; padding: .1rem .55rem; }
button:hover { border-color: var(--accent); }
.copied button { position: absolute; top: .6rem; right: .6rem; }
.tools { background: var(--card); border: 1px solid var(--line); border-radius: .8rem; padding: 1rem; }
.tools > input { position: absolute; opacity: 0; pointer-events: none; }
.tools > label { display: inline-block; margin: 0 .1rem .35rem 0; padding: .25rem .75rem;
    border-radius: 1rem;
  cursor: pointer; font-size: .92rem; color: var(--dim); }
.tools > label:hover { color: var(--accent); }
.tools > input:checked + label { background: var(--accent); color: var(--card); }
.tools > input:focus-visible + label { outline: 2px solid var(--accent); outline-offset: 2px; }
.tools > section { display: none; margin-top: .5rem; overflow-wrap: anywhere; }
.version { background: var(--card); border: 1px solid var(--line); border-radius: .8rem;
    margin: 0 0 .8rem; }
.version > summary { cursor: pointer; padding: .8rem 1rem; display: flex; flex-wrap: wrap; gap: .3rem .6rem;
  align-items: center; list-style: none; }
.version > summary::-webkit-details-marker { display: none; }
.version > summary::before { content: ""; width: .45rem; height: .45rem; border: solid var(--dim);
  border-width: 0 2px 2px 0; transform: rotate(-45deg); margin-right: .15rem; }
.version[open] > summary::before { transform: rotate(45deg); }
.version > summary b { font-size: 1.1rem; } .version > summary .day { margin-left: auto; }
.build { border-top: 1px solid var(--line); padding: 1rem; }
.build h3 { display: flex; flex-wrap: wrap; gap: .3rem .5rem; align-items: baseline; }
.build details { margin: .35rem 0; } .build details summary { cursor: pointer; }
.build ul { margin: .3rem 0; padding-left: 1.2rem; }
.libraries { columns: 11rem; list-style: none; padding: 0 !important; }
.files { list-style: none; padding: 0 !important; margin-top: .8rem !important; }
.files li { display: grid; grid-template-columns: 6.5rem minmax(0, 1fr) auto; gap: .15rem .8rem;
  padding: .5rem 0; border-top: 1px solid var(--line); align-items: baseline; }
.files a { overflow-wrap: anywhere; font-size: .94rem; } .files .size { font-variant-numeric: tabular-nums;
    white-space: nowrap; }
.sum { grid-column: 2 / -1; display: flex; gap: .6rem; align-items: baseline;
    justify-content: space-between; }
.sum code { font-size: .76rem; color: var(--dim); min-width: 0; }
.lists { list-style: none; padding: 0; display: grid; gap: .5rem 2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 25rem), 1fr)); }
.lists li { min-width: 0; overflow-wrap: anywhere; } .lists span { display: block; }
footer { padding: 2rem 1.25rem 3rem; color: var(--dim); font-size: .86rem; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  header { padding-top: 1.5rem; } h1 { font-size: 1.6rem; } main, header, footer { padding-left: .9rem;
    padding-right: .9rem; }
  .files li { grid-template-columns: minmax(0, 1fr) auto; }
  .files .for { grid-column: 1; grid-row: 1; } .files .size { grid-column: 2; grid-row: 1; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  .files a, .sum { grid-column: 1 / -1; } .copied pre { padding-right: .9rem; padding-top: 2.6rem; }
}
"""

SCRIPT = """
for (const place of document.querySelectorAll("[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", place.dataset.copy);
  button.onclick = async () => {
    const text = place.querySelector("code").textContent;
    try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; }
    catch { getSelection().selectAllChildren(place.querySelector("code"));
    button.textContent = "Selected"; }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };
  place.append(button);
}
const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
if (named) { named.open = true; }
"""
