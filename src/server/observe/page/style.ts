/** The looks of the status page, light and dark, from a phone to a wide screen. */
export const STATUS_CSS = `
:root {
  color-scheme: light dark;
  --bg: #f3f5f8; --surface: #fff; --line: #e0e4ea; --text: #17202e; --soft: #586476;
  --accent: #1f63d6; --accent-soft: #1f63d61f; --second: #c2410c;
  --ok: #15803d; --ok-soft: #e7f6ec; --warn: #b45309; --warn-soft: #fff4e2; --bad: #b3261e; --bad-soft: #fdefee;
  --shadow: 0 1px 2px rgb(20 30 50 / 6%), 0 4px 16px rgb(20 30 50 / 5%);
}
:root[data-theme="light"] { color-scheme: light; }
@media (prefers-color-scheme: dark) { :root:not([data-theme="light"]) {
  --bg: #12161d; --surface: #1b212b; --line: #2b3442; --text: #e8ecf2; --soft: #a0acbd;
  --accent: #6ea1ff; --accent-soft: #6ea1ff26; --second: #f2965a;
  --ok: #4ac47a; --ok-soft: #15301f; --warn: #f0b254; --warn-soft: #33260f; --bad: #ff8a80; --bad-soft: #3a1d1c; --shadow: none;
} }
:root[data-theme="dark"] {
  color-scheme: dark;
  --bg: #12161d; --surface: #1b212b; --line: #2b3442; --text: #e8ecf2; --soft: #a0acbd;
  --accent: #6ea1ff; --accent-soft: #6ea1ff26; --second: #f2965a;
  --ok: #4ac47a; --ok-soft: #15301f; --warn: #f0b254; --warn-soft: #33260f; --bad: #ff8a80; --bad-soft: #3a1d1c; --shadow: none;
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--bg); color: var(--text);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif;
}
#app { max-width: 1180px; margin: 0 auto; padding: 16px; }
header { display: flex; flex-wrap: wrap; gap: 8px 14px; align-items: center; margin: 4px 0 16px; }
header .news { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
h1 { font-size: 20px; margin: 0; letter-spacing: -.01em; }
h2 { font-size: 14px; margin: 0 0 10px; font-weight: 600; }
.about { color: var(--soft); font-size: 13px; }
.spacer { flex: 1; }
select, input, button {
  font: inherit; font-size: 13px; color: inherit; background: var(--surface);
  border: 1px solid var(--line); border-radius: 9px; padding: 6px 10px; min-height: 34px;
}
button { background: var(--accent); color: var(--surface); border-color: transparent; cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.pill { border-radius: 99px; padding: 2px 10px; font-size: 13px; font-weight: 600; white-space: nowrap; }
.pill.ok { color: var(--ok); background: var(--ok-soft); }
.pill.warn { color: var(--warn); background: var(--warn-soft); }
.pill.bad { color: var(--bad); background: var(--bad-soft); }
.grid { display: grid; gap: 12px; margin-bottom: 12px; }
.tiles { grid-template-columns: repeat(auto-fit, minmax(min(46%, 170px), 1fr)); }
.charts, .lists { grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); }
.card { background: var(--surface); border: 1px solid var(--line); border-radius: 14px; padding: 14px 16px; box-shadow: var(--shadow); min-width: 0; }
.wide { grid-column: 1 / -1; }
.tile .name { color: var(--soft); font-size: 13px; }
.tile .value { font-size: 26px; font-weight: 650; letter-spacing: -.02em; font-variant-numeric: tabular-nums; white-space: nowrap; }
.tile .more { color: var(--soft); font-size: 12.5px; overflow-wrap: anywhere; }
.legend { display: flex; gap: 14px; font-size: 12.5px; color: var(--soft); margin: -4px 0 4px; }
.key::before { content: ""; display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 6px; }
.key.one::before { background: var(--accent); } .key.two::before { background: var(--second); }
.chart { display: block; width: 100%; height: auto; touch-action: pan-y; }
.chart .level { stroke: var(--line); stroke-dasharray: 2 4; } .chart .axis { stroke: var(--line); }
.chart .tick { fill: var(--soft); font-size: 10.5px; } .chart .end { text-anchor: end; }
.chart .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.chart .line.one { stroke: var(--accent); } .chart .line.two { stroke: var(--second); }
.chart .area.one { fill: var(--accent-soft); }
.chart .dot.one { fill: var(--accent); } .chart .dot.two { fill: var(--second); }
.chart .mark { stroke: var(--soft); } .chart .read { fill: var(--text); font-size: 11.5px; font-weight: 600; }
.bars { display: grid; gap: 9px; }
.bar .row { display: flex; justify-content: space-between; gap: 12px; font-size: 13.5px; }
.bar .count { font-variant-numeric: tabular-nums; font-weight: 600; }
.bar .track { height: 6px; border-radius: 3px; background: var(--accent-soft); overflow: hidden; margin-top: 3px; }
.bar .fill { height: 100%; border-radius: 3px; background: var(--accent); }
.bar.refused .fill { background: var(--second); }
.bar code { color: var(--soft); }
.scroll { overflow: auto; max-height: 420px; margin: 0 -6px; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
th, td { text-align: left; padding: 5px 6px; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 500; font-size: 12.5px; position: sticky; top: 0; background: var(--surface); }
tr:last-child td { border-bottom: 0; }
td.num { font-variant-numeric: tabular-nums; white-space: nowrap; } td.addr { overflow-wrap: anywhere; min-width: 9ch; }
code { font: 12.5px/1.4 ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, monospace; }
.empty { color: var(--soft); font-size: 13.5px; }
.sign { display: inline-block; width: 8px; height: 8px; border-radius: 50%; margin-right: 7px; background: var(--ok); }
.sign.refused { background: var(--second); } .sign.ended { background: var(--soft); } .sign.bad { background: var(--bad); }
form { display: flex; flex-wrap: wrap; gap: 10px; margin-top: 10px; } form input { flex: 1 1 220px; }
.error { color: var(--bad); font-size: 13.5px; margin: 8px 0 0; }
@media (max-width: 520px) {
  #app { padding: 12px; } .spacer { display: none; } header .news:last-child { width: 100%; } .tile .value { font-size: 22px; }
  .card { padding: 12px 13px; } .rare { display: none; } select { flex: 1; }
}
@media (prefers-reduced-motion: no-preference) { .bar .fill { transition: width .4s; } }
`;
