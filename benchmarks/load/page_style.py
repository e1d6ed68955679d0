"""How the HTML report looks, and the one thing that it does: sort its table."""

STYLE = """
:root {
  --page: #f6f7f9; --card: #fff; --text: #1b1f27; --dim: #626b7a; --line: #e1e5eb;
  --c1: #2563eb; --c2: #d97706; --c3: #db2777; --band: #2563eb0d;
  --good: #15803d; --good-page: #dcfce7; --bad: #b91c1c; --bad-page: #fee2e2;
  --warn: #92400e; --warn-page: #fef3c7;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12151b; --card: #1b2029; --text: #e6e9ef; --dim: #98a2b3; --line: #2c3340;
    --c1: #6ea8fe; --c2: #f5b04c; --c3: #f472b6; --band: #6ea8fe12;
    --good: #86efac; --good-page: #14311f; --bad: #fca5a5; --bad-page: #3b1717;
    --warn: #fcd34d; --warn-page: #38290d;
  }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
main { max-width: 1320px; margin: 0 auto; padding: 28px 24px 60px }
h1 { font-size: 26px; line-height: 1.2; margin: 0 }
h2 { font-size: 18px; margin: 34px 0 10px }
.sub, .note { color: var(--dim); margin: 4px 0 18px; overflow-wrap: anywhere }
.note { margin: -6px 0 10px; font-size: 13px }
.banner { padding: 10px 14px; border-radius: 8px; margin: 0 0 12px; font-weight: 600 }
.good { color: var(--good); background: var(--good-page) }
.bad { color: var(--bad); background: var(--bad-page) }
.warn { color: var(--warn); background: var(--warn-page) }
.losses { margin: 0; padding: 10px 14px 10px 34px; border-radius: 8px }
.losses:not(.warn) { background: var(--card); border: 1px solid var(--line) }
.tiles { display: grid; gap: 12px; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)) }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 12px 14px }
.tiles b { display: block; font-size: 21px; line-height: 1.25; font-variant-numeric: tabular-nums;
  white-space: nowrap }
.tiles span { color: var(--dim); font-size: 13px }
.plots { display: grid; gap: 14px; margin-bottom: 14px;
  grid-template-columns: repeat(auto-fit, minmax(min(460px, 100%), 1fr)) }
.plot { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 12px 12px 6px }
figcaption { font-weight: 600; font-size: 14px; display: flex; justify-content: space-between;
  gap: 12px; flex-wrap: wrap }
.legend { font-weight: 400; color: var(--dim); font-size: 13px; display: flex; gap: 14px }
.key { display: inline-block; width: 14px; height: 3px; border-radius: 2px; margin-right: 6px;
  vertical-align: middle }
.k1 { background: var(--c1) } .k2 { background: var(--c2) } .k3 { background: var(--c3) }
.none { color: var(--dim); text-align: center; padding: 60px 0 }
svg { display: block; width: 100%; height: auto; margin-top: 6px }
svg text { font-size: 11.5px; fill: var(--dim); font-variant-numeric: tabular-nums }
.grid { stroke: var(--line); fill: none } .band { fill: var(--band) }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round; stroke-linecap: round }
.s1 { stroke: var(--c1) } .s2 { stroke: var(--c2) } .s3 { stroke: var(--c3) }
.d1 { fill: var(--c1) } .d2 { fill: var(--c2) } .d3 { fill: var(--c3) }
.hover rect { fill: transparent } .hover path { stroke: var(--dim); opacity: 0 }
.hover g:hover path { opacity: .7 }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px }
table { border-collapse: collapse; width: 100%; font-size: 13.5px }
th, td { text-align: left; padding: 6px 12px; border-bottom: 1px solid var(--line);
  white-space: nowrap }
td:last-child { white-space: normal; min-width: 60px }
.clients { max-height: 75vh; overflow: auto }
.clients thead { position: sticky; top: 0; background: var(--card); box-shadow: 0 1px var(--line) }
.clients td:nth-child(4) { max-width: 340px; white-space: normal }
tr:last-child td { border-bottom: 0 }
th { color: var(--dim); font-weight: 600 }
td { font-variant-numeric: tabular-nums }
.n { text-align: right }
.sortable th { cursor: pointer } .sortable th:hover { color: var(--text) }
.sortable th:nth-child(n+5):not(:last-child) { text-align: right }
td.passed { color: var(--good); font-weight: 600 } td.failed { color: var(--bad); font-weight: 600 }
details { margin-top: 18px } summary { cursor: pointer; font-weight: 600; margin-bottom: 8px }
"""

SCRIPT = """
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    let down = false;
    head.addEventListener("click", () => {
      down = !down;
      const key = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent;
      const compare = (a, b) => isNaN(a) || isNaN(b) ? String(a).localeCompare(b) : a - b;
      const rows = [...body.rows].sort((a, b) => compare(key(a), key(b)) * (down ? -1 : 1));
      body.append(...rows);
    });
  });
}
"""
