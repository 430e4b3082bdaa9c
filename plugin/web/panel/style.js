/**
 * How the panel looks: one sheet, few colours with a name each, light and dark, dense, and narrow enough for a phone.
 * It never moves anything for whoever wants less motion, and never says by colour alone what matters.
 * It is a constructed sheet because the page's policy allows no style that stands in a document.
 */

const sheetText = `
:root { color-scheme: light dark; }
.wopr-panel {
  --ground: #f6f7f8; --surface: #ffffff; --raised: #eef0f2; --text: #1b1f24; --soft: #545d67; --line: #d5d9de; --field: #7b8590;
  --accent: #0b57b0; --on-accent: #ffffff; --good: #17653a; --warn: #7a4d00; --bad: #a6281a;
  --good-ground: #e3f3e9; --warn-ground: #fbf0d9; --bad-ground: #fbe6e3;
  display: flex; flex-direction: column; min-height: 100vh; min-height: 100dvh; background: var(--ground); color: var(--text);
  font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; overflow-wrap: anywhere;
}
@media (prefers-color-scheme: dark) {
  .wopr-panel {
    --ground: #121518; --surface: #1a1e22; --raised: #242a30; --text: #e3e7eb; --soft: #a3adb7; --line: #30373e; --field: #77828d;
    --accent: #82b7ff; --on-accent: #0c1a2b; --good: #86d6a0; --warn: #e8bd6d; --bad: #ffa295;
    --good-ground: #16301f; --warn-ground: #33280f; --bad-ground: #3a1b17;
  }
}
.wopr-panel * { box-sizing: border-box; }
.wopr-panel :is(h1, h2, h3, p, ul, ol, dl, dd) { margin: 0; padding: 0; }
.wopr-panel :is(ul, ol) { list-style: none; }
.wopr-panel h1 { font-size: 20px; line-height: 1.2; }
.wopr-panel h2 { font-size: 15px; }
.wopr-panel h3 { font-size: 13px; color: var(--soft); margin-top: 6px; }
.wopr-panel code { font: 12.5px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.wopr-panel :is(button, input, select, textarea) { font: inherit; color: inherit; border-radius: 6px; min-height: 32px; max-width: 100%; }
.wopr-panel button { background: var(--surface); border: 1px solid var(--field); padding: 4px 12px; cursor: pointer; text-align: center; overflow-wrap: normal; flex-shrink: 0; }
.wopr-panel button:hover { background: var(--raised); }
.wopr-panel button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600; }
.wopr-panel button.primary:hover { filter: brightness(1.08); }
.wopr-panel button.danger { color: var(--bad); border-color: var(--bad); }
.wopr-panel button.solid { background: var(--bad); color: var(--surface); font-weight: 600; }
.wopr-panel button.small { min-height: 26px; padding: 1px 8px; font-size: 12.5px; }
.wopr-panel [aria-busy="true"] { opacity: .65; cursor: progress; }
.wopr-panel :is(input, select, textarea) { background: var(--surface); border: 1px solid var(--field); padding: 5px 9px; width: 100%; }
.wopr-panel ::placeholder { color: var(--soft); opacity: 1; }
.wopr-panel textarea { resize: vertical; }
.wopr-panel :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.wopr-panel :is(h1, h2):focus-visible { outline: none; }
.wopr-panel .peer { unicode-bidi: isolate; }
.wopr-panel .text { white-space: pre-wrap; }
.wopr-panel .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.wopr-panel .hint { color: var(--soft); font-size: 13px; }
.wopr-panel .empty { color: var(--soft); padding: 4px 0; }
.wopr-panel .bad { color: var(--bad); }

.wopr-panel > .top { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 16px; padding: 8px 16px; background: var(--surface); border-bottom: 1px solid var(--line); }
.wopr-panel .top .who { font-weight: 600; margin-right: auto; }
.wopr-panel nav { display: flex; gap: 2px; overflow-x: auto; scrollbar-width: none; }
.wopr-panel nav button { border: 0; border-radius: 6px; padding: 4px 10px; background: none; color: var(--soft); white-space: nowrap; flex: none; }
.wopr-panel nav button[aria-current] { color: var(--text); background: var(--raised); font-weight: 600; }
.wopr-panel .link { color: var(--soft); font-size: 13px; white-space: nowrap; }
.wopr-panel .link::before { content: ""; display: inline-block; width: 5px; height: 5px; border-radius: 50%; margin-right: 6px; vertical-align: 0; border: 2px solid var(--field); }
.wopr-panel .link.on::before { background: var(--good); border-color: var(--good); }
.wopr-panel .banner { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 12px; padding: 6px 16px; background: var(--warn-ground); color: var(--warn); border-bottom: 1px solid var(--line); }
.wopr-panel .content { flex: 1; width: 100%; max-width: 1120px; margin: 0 auto; padding: 14px 16px 24px; display: flex; flex-direction: column; gap: 12px; min-height: 0; }
.wopr-panel .stack { display: flex; flex-direction: column; gap: 12px; min-width: 0; }
.wopr-panel .card { background: var(--surface); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px; display: flex; flex-direction: column; gap: 8px; align-items: stretch; min-width: 0; }
.wopr-panel .card > button { align-self: flex-start; }
.wopr-panel .stack > button { align-self: flex-start; }
.wopr-panel :is(ul, ol):empty { display: none; }
.wopr-panel .row { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
.wopr-panel .rows > li { display: flex; flex-wrap: wrap; gap: 6px 12px; align-items: center; justify-content: space-between; padding: 8px 0; border-top: 1px solid var(--line); }
.wopr-panel .rows > li:first-child { border-top: 0; }
.wopr-panel .rows > li > :first-child { flex: 1 1 260px; min-width: 0; }
.wopr-panel .rows > li > form { flex: 0 1 320px; }
.wopr-panel .rows.plain > li { display: block; }
.wopr-panel .facts { display: grid; gap: 4px; flex: 1 1 240px; min-width: 0; }
.wopr-panel .facts > div { display: grid; grid-template-columns: 110px 1fr; gap: 10px; align-items: baseline; }
.wopr-panel .facts > div:has(svg) { align-items: start; }
.wopr-panel dt { color: var(--soft); font-size: 13px; }
.wopr-panel dd { min-width: 0; }
.wopr-panel .code { display: inline-flex; flex-wrap: wrap; gap: 4px 8px; align-items: center; max-width: 100%; }
.wopr-panel .beside { display: flex; flex-wrap: wrap; gap: 12px; align-items: flex-start; }
.wopr-panel .qr { width: 168px; height: 168px; border-radius: 6px; border: 1px solid var(--line); background: #fff; flex: none; }
.wopr-panel .badge { display: inline-block; font-size: 12px; line-height: 1.5; padding: 0 7px; border-radius: 9px; background: var(--raised); color: var(--soft); max-width: 100%; }
.wopr-panel .badge.good { background: var(--good-ground); color: var(--good); }
.wopr-panel .badge.warn { background: var(--warn-ground); color: var(--warn); }
.wopr-panel .badge.bad { background: var(--bad-ground); color: var(--bad); }
.wopr-panel nav .badge { margin-left: 6px; }
.wopr-panel .tags { display: flex; flex-wrap: wrap; gap: 4px; }
.wopr-panel .ask { display: inline-flex; flex-wrap: wrap; gap: 6px 8px; align-items: center; padding: 6px 8px; border-radius: 8px; background: var(--bad-ground); }
.wopr-panel .alarm { background: var(--bad-ground); color: var(--bad); border-radius: 8px; padding: 8px 10px; display: flex; flex-direction: column; gap: 6px; align-items: flex-start; }
.wopr-panel .string { font-size: 18px; letter-spacing: .02em; }
.wopr-panel .fields { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 220px), 1fr)); gap: 10px; }
.wopr-panel .field { display: flex; flex-direction: column; gap: 2px; max-width: 460px; min-width: 0; }
.wopr-panel label { font-size: 13px; color: var(--soft); }
.wopr-panel form { display: flex; flex-direction: column; gap: 8px; align-items: flex-start; min-width: 0; }
.wopr-panel form > .field, .wopr-panel form > .fields { width: 100%; }
.wopr-panel .bar form, .wopr-panel .rows form, .wopr-panel [data-key="line-form"] { flex-direction: row; align-items: center; gap: 6px; }
.wopr-panel summary { cursor: pointer; border-radius: 4px; padding: 2px 0; }
.wopr-panel .fold > :not(summary) { margin-top: 8px; }
.wopr-panel .made { background: var(--raised); border-radius: 8px; padding: 10px; display: flex; flex-direction: column; gap: 8px; align-items: flex-start; }

.wopr-panel .split { display: grid; grid-template-columns: 270px minmax(0, 1fr); gap: 12px; align-items: start; }
.wopr-panel .list { display: flex; flex-direction: column; gap: 10px; min-width: 0; }
.wopr-panel .items { display: flex; flex-direction: column; gap: 2px; }
.wopr-panel button.item { width: 100%; text-align: left; display: flex; flex-direction: column; gap: 2px; border-color: transparent; background: none; padding: 7px 10px; overflow-wrap: anywhere; }
.wopr-panel button.item:hover { background: var(--raised); }
.wopr-panel button.item[aria-current] { background: var(--surface); border-color: var(--line); box-shadow: inset 3px 0 0 var(--accent); }
.wopr-panel .line { display: flex; flex-wrap: wrap; gap: 2px 8px; align-items: center; }
.wopr-panel .friend { display: flex; flex-direction: column; gap: 10px; min-width: 0; }
.wopr-panel .friend-head { display: flex; flex-wrap: wrap; gap: 6px 10px; align-items: center; }
.wopr-panel .back { display: none; }
.wopr-panel .tabs { display: inline-flex; margin-left: auto; }
.wopr-panel .tab { border-radius: 0; }
.wopr-panel .tab:first-child { border-radius: 6px 0 0 6px; border-right: 0; }
.wopr-panel .tab:last-child { border-radius: 0 6px 6px 0; }
.wopr-panel .tab[aria-pressed="true"] { background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600; }
.wopr-panel .talk { display: flex; flex-direction: column; gap: 8px; min-width: 0; }
.wopr-panel .bar { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; }
.wopr-panel .bar form { flex: 1 1 200px; }
.wopr-panel .entries { background: var(--surface); border: 1px solid var(--line); border-radius: 10px; padding: 10px 12px; height: max(240px, calc(100dvh - 350px)); overflow-y: auto; display: flex; flex-direction: column; gap: 10px; }
.wopr-panel .entries > :first-child { margin-top: auto; }
.wopr-panel .day, .wopr-panel .more { text-align: center; color: var(--soft); font-size: 12.5px; }
.wopr-panel .entry { max-width: min(90%, 640px); align-self: flex-start; }
.wopr-panel .entry header { color: var(--soft); font-size: 12.5px; }
.wopr-panel .entry > .text { background: var(--raised); border-radius: 3px 10px 10px 10px; padding: 6px 10px; }
.wopr-panel .entry.ours { align-self: flex-end; }
.wopr-panel .entry.ours header { text-align: right; }
.wopr-panel .entry > .text { width: fit-content; max-width: 100%; }
.wopr-panel .entry.ours > .text { margin-left: auto; border-radius: 10px 3px 10px 10px; background: color-mix(in srgb, var(--accent) 14%, var(--surface)); }
.wopr-panel .why { color: var(--bad); margin-left: 4px; }
.wopr-panel .composer { align-items: stretch; }
.wopr-panel .news, .wopr-panel .output { max-height: 320px; overflow-y: auto; display: flex; flex-direction: column; gap: 3px; }
.wopr-panel .output { background: var(--raised); border-radius: 8px; padding: 8px 10px; font: 12.5px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.wopr-panel .news li { display: flex; gap: 10px; }
.wopr-panel .news time { color: var(--soft); flex: none; }
.wopr-panel .news .text { min-width: 0; }
.wopr-panel .news .good .text { color: var(--good); }
.wopr-panel :is(.news .bad .text, .output .bad) { color: var(--warn); }
.wopr-panel :is(.news .alarm, .output .alarm) { background: none; padding: 0; flex-direction: row; color: inherit; border-radius: 0; }
.wopr-panel :is(.news .alarm .text, .output .alarm) { color: var(--bad); font-weight: 600; }
.wopr-panel :is(.news .quiet .text, .output .quiet) { color: var(--soft); }
.wopr-panel .status li { padding: 1px 0; }
.wopr-panel .outcome { position: sticky; bottom: 0; margin-top: auto; padding: 8px 16px; background: var(--good-ground); color: var(--good); border-top: 1px solid var(--line); display: flex; gap: 12px; align-items: center; justify-content: space-between; }
.wopr-panel .outcome.bad { background: var(--bad-ground); color: var(--bad); }
.wopr-panel .alone { max-width: 520px; margin: 12vh auto; display: flex; flex-direction: column; gap: 10px; align-items: flex-start; padding: 0 16px; }

@media (max-width: 720px) {
  .wopr-panel > .top { padding: 8px 12px; }
  .wopr-panel .top nav { order: 1; width: 100%; display: grid; grid-template-columns: repeat(3, 1fr); }
  .wopr-panel nav button { padding: 4px 8px; }
  .wopr-panel .content { padding: 10px 12px 20px; }
  .wopr-panel .split { grid-template-columns: minmax(0, 1fr); }
  .wopr-panel .split.opened .list, .wopr-panel .split:not(.opened) .friend { display: none; }
  .wopr-panel .back { display: inline-block; }
  .wopr-panel .tabs { margin-left: 0; }
  .wopr-panel .facts > div { grid-template-columns: 1fr; gap: 0; }
  .wopr-panel :is(button, input, select) { min-height: 38px; }
}
@media (prefers-reduced-motion: no-preference) {
  .wopr-panel button { transition: background-color .12s; }
}
`

/** Gives the document the panel's sheet. */
export const dress = () => {
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(sheetText)
  document.adoptedStyleSheets.push(sheet)
}
