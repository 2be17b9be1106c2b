"""A verify report as one web page: no script, no file beside it, readable on a phone."""

from __future__ import annotations

from html import escape

from manypython.verify.report import Check, VerifyReport, summary
from manypython.version import __version__

_STYLE = """
:root { color-scheme: light dark; --good: #1a7f37; --bad: #c62828; --dim: #767676; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 72rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: left; border-bottom: 1px solid #8884; white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; } .dim { color: var(--dim); }
details { margin: .4rem 0; } summary { cursor: pointer; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: .6rem; margin: .3rem 0; }
"""


def page(title: str, report: VerifyReport) -> str:
    """The whole page: the table, each failure with its details, then every check."""
    columns, rows = report.table()
    head = "".join(f"<th scope=col>{escape(name)}</th>" for name in columns)
    body = "\n".join(
        f"<tr><th scope=row>{escape(where)}</th>{''.join(_cell(row.get(name, ())) for name in columns)}</tr>"
        for where, row in rows.items()
    )
    failures, untried = report.failures, report.skipped
    verdict = f"<b class={'bad' if failures else 'good'}>{report.passed} passed, {len(failures)} failed</b>"
    return f"""<!doctype html>
<html lang=en>
<meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
<h1>{escape(title)}</h1>
<p>{verdict}, <span class=dim>{len(untried)} not tried</span>. manypython {escape(__version__)}</p>
<div class=scroll><table><thead><tr><td></td>{head}</tr></thead><tbody>
{body}
</tbody></table></div>
{_section("Failed", "".join(_detail(check, opened=True) for check in failures))}
{_section("Not tried", "".join(f"<p class=dim>{escape(line)}</p>" for line in report.untried()))}
<h2>Every check</h2>
{"".join(_group(where, row) for where, row in rows.items())}
</html>"""


def _cell(checks: tuple[Check, ...]) -> str:
    kind = "bad" if any(not check.ok for check in checks) else "dim" if _untried(checks) else "good"
    return f"<td class={kind}>{escape(summary(checks))}</td>"


def _untried(checks: tuple[Check, ...]) -> bool:
    return all(check.skipped for check in checks)


def _section(title: str, inner: str) -> str:
    return f"<h2>{title}</h2>\n{inner}" if inner else ""


def _group(where: str, row: dict[str, tuple[Check, ...]]) -> str:
    inner = "".join(_detail(check, opened=False) for checks in row.values() for check in checks)
    return f"<details><summary>{escape(where)}</summary>{inner}</details>\n"


def _detail(check: Check, *, opened: bool) -> str:
    kind = "dim" if check.skipped else "good" if check.ok else "bad"
    name = f"{check.root}: {check.where}: {check.name}, {check.seconds:.2f} s"
    start = "<details open>" if opened else "<details>"
    return (
        f"{start}<summary class={kind}>{escape(name)}</summary><pre>{escape(check.detail)}</pre></details>\n"
    )
