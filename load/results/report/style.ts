/** The report's whole look: system fonts, light and dark by the reader's own setting, readable in print. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --edge: #d0d7de; --s1: #0b63ce; --s2: #b3541e; --s3: #1a7f4b; --s4: #7b3fb5; --bad: #b42318; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa5b1; --paper: #11161c; --edge: #30363d; --s1: #6cb0ff; --s2: #f0a066; --s3: #5fd08f; --s4: #c59bf5; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 84rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; margin: 0 0 0.5rem; } h2 { font-size: 1.15rem; margin: 2.5rem 0 0.75rem; }
.headline { font-size: 1.15rem; max-width: 60rem; margin: 0; }
.invalid { border-left: 4px solid var(--bad); padding: 0.5rem 0.75rem; color: var(--bad); font-weight: 600; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); gap: 1.5rem; margin-top: 1rem; }
figure { margin: 0; border: 1px solid var(--edge); border-radius: 8px; padding: 0.75rem; }
figcaption { font-weight: 600; margin-bottom: 0.25rem; }
svg { width: 100%; height: auto; display: block; }
.grid { stroke: var(--edge); } .tick { fill: var(--soft); font-size: 11px; } .label { fill: var(--soft); font-size: 12px; }
line.bound { stroke: var(--bad); stroke-dasharray: 5 4; } text.bound { fill: var(--bad); font-size: 11px; }
.line { fill: none; stroke: currentColor; stroke-width: 2; } .line.thin { stroke-width: 1; } .bar { stroke: currentColor; stroke-width: 2; opacity: 0.45; }
.dot { fill: currentColor; stroke: currentColor; stroke-width: 1.5; } .dot.hollow { fill: var(--paper); }
.s1 { color: var(--s1); } .s2 { color: var(--s2); } .s3 { color: var(--s3); } .s4 { color: var(--s4); }
.legend { display: flex; flex-wrap: wrap; gap: 1rem; list-style: none; margin: 0.25rem 0 0; padding: 0; font-size: 13px; }
.legend li::before { content: "●"; margin-right: 0.35rem; }
.scroll { overflow-x: auto; margin-top: 0.75rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 13.5px; }
caption { text-align: left; color: var(--soft); padding-bottom: 0.25rem; }
th, td { text-align: left; padding: 0.3rem 0.45rem; border-bottom: 1px solid var(--edge); white-space: nowrap; }
th { color: var(--soft); font-weight: 600; } td:last-child { white-space: normal; min-width: 9rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.25rem 1rem; } dt { color: var(--soft); } dd { margin: 0; }
pre { border: 1px solid var(--edge); border-radius: 8px; padding: 0.75rem; white-space: pre-wrap; overflow-wrap: anywhere; }
@media print { .plots { grid-template-columns: 1fr 1fr; } }
`;
