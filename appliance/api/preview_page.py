"""How the camera's preview looks: one self-contained page, with a script of its own and nothing from elsewhere.

The picture is fetched again as soon as the one before is drawn, so that a slow network shows fewer pictures and never
old ones. All rectangles are in pixels of the whole picture.
"""

from typing import Final

_STYLE: Final = """
:root {
  color-scheme: light dark;
  --ground: #f3f4f6; --card: #fff; --ink: #14181d; --soft: #5b6672; --rule: #dfe3e8;
  --ok: #1b7f4d; --undecided: #c98a04; --bad: #c62f2f; --blue: #1c5fa8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0f1317; --card: #181d23; --ink: #e9edf1; --soft: #98a3ae; --rule: #2a323a;
    --ok: #35a56b; --undecided: #e0a526; --bad: #e5605d; --blue: #5b9be0;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink); min-height: 100vh;
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
}
header { display: flex; flex-wrap: wrap; gap: 2px 16px; align-items: baseline; padding: 14px 20px 10px; }
header strong { font-size: 19px; letter-spacing: -.01em; }
header span { color: var(--soft); font-size: 13px; }
header span:last-child { margin-left: auto; font-weight: 600; color: var(--ok); }
header span.wrong { color: var(--bad); }
main { display: grid; gap: 14px; padding: 0 20px 20px; grid-template-columns: minmax(0, 1fr) 330px; }
@media (max-width: 860px) { main { grid-template-columns: minmax(0, 1fr); } }
section, figure { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; margin: 0; }
section { padding: 14px 18px; }
aside { display: grid; gap: 14px; align-content: start; }
figure { overflow: hidden; align-self: start; }
#stage { position: relative; background: #000; touch-action: none; cursor: crosshair; line-height: 0; }
#stage canvas { width: 100%; display: block; }
#marks { position: absolute; inset: 0; height: 100%; }
#problem {
  position: absolute; inset: auto 0 0 0; padding: 10px 16px; background: #b3261eee; color: #fff; line-height: 1.4;
}
#problem:empty { display: none; }
figcaption { display: flex; flex-wrap: wrap; gap: 6px 14px; padding: 9px 14px; font-size: 13px; color: var(--soft); }
figcaption span:last-child { margin-left: auto; }
h2 { margin: 0 0 10px; font-size: 12px; letter-spacing: .07em; text-transform: uppercase; color: var(--soft); }
h2 b { float: right; text-transform: none; letter-spacing: 0; font-weight: 500; }
#focus { font-size: 40px; font-weight: 650; line-height: 1; font-variant-numeric: tabular-nums; }
#share { float: right; font-size: 17px; font-weight: 600; padding-top: 17px; font-variant-numeric: tabular-nums; }
#bar { height: 18px; border-radius: 9px; overflow: hidden; background: var(--rule); margin: 12px 0 8px; }
#bar i { display: block; height: 100%; background: var(--undecided); transition: width .12s linear; }
#bar i.best { background: var(--ok); }
p { margin: 0; font-size: 13px; color: var(--soft); }
dl { display: grid; grid-template-columns: repeat(3, 1fr); gap: 10px 12px; margin: 0; }
dt { font-size: 12px; color: var(--soft); }
dd { margin: 0; font-size: 18px; font-weight: 600; font-variant-numeric: tabular-nums; white-space: nowrap; }
dd.bad { color: var(--bad); }
dd.warn { color: var(--undecided); }
#histogram { width: 100%; height: 74px; display: block; margin: 0 0 10px; }
code {
  display: block; font: 13px/1.5 ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace; color: var(--ink);
  user-select: all; overflow-wrap: anywhere; margin: 0 0 8px;
}
button {
  font: inherit; font-size: 13px; padding: 3px 11px; border-radius: 6px; border: 1px solid var(--rule);
  background: none; color: inherit; cursor: pointer;
}
button[aria-pressed=true] { background: var(--blue); border-color: var(--blue); color: #fff; }
table { width: 100%; border-collapse: collapse; font-size: 13px; }
td { padding: 3px 0; border-top: 1px solid var(--rule); overflow-wrap: anywhere; }
td:last-child { text-align: right; }
kbd { font: 12px ui-monospace, monospace; border: 1px solid var(--rule); border-radius: 4px; padding: 0 5px; }
details summary { cursor: pointer; font-size: 13px; color: var(--soft); }
"""

_BODY: Final = """
<header>
  <strong id="name">camera</strong><span id="model"></span><span id="size"></span><span id="state">waiting</span>
</header>
<main>
<figure>
  <div id="stage"><canvas id="picture" width="16" height="10"></canvas><canvas id="marks"></canvas>
    <div id="problem" role="alert"></div></div>
  <figcaption>
    <span><button id="clip" aria-pressed="false">mark clipped pixels</button>
      <button id="pause" aria-pressed="false">pause</button> <button id="whole">whole picture</button></span>
    <span id="under"></span><span id="zoom"></span>
  </figcaption>
</figure>
<aside>
<section>
  <h2>Sharpness <b id="of"></b></h2>
  <span id="share"></span><span id="focus">–</span>
  <div id="bar"><i style="width:0"></i></div>
  <p>Turn the lens until it stops rising, then back to the best: <span id="best">–</span>.
    <button id="again">start again</button></p>
</section>
<section>
  <h2>Light <b id="light"></b></h2>
  <canvas id="histogram" width="256" height="64"></canvas>
  <dl>
    <div><dt>mean</dt><dd id="mean">–</dd></div>
    <div><dt>blown out</dt><dd id="saturated">–</dd></div>
    <div><dt>black</dt><dd id="dark">–</dd></div>
    <div><dt>contrast</dt><dd id="contrast">–</dd></div>
    <div><dt>exposure</dt><dd id="exposure">–</dd></div>
  </dl>
</section>
<section>
  <h2>Pictures</h2>
  <dl>
    <div><dt>a second</dt><dd id="rate">–</dd></div>
    <div><dt>age</dt><dd id="age">–</dd></div>
    <div><dt>lost</dt><dd id="lost">–</dd></div>
    <div><dt>damaged</dt><dd id="damaged">–</dd></div>
    <div><dt>passed over</dt><dd id="skipped">–</dd></div>
    <div><dt>reopened</dt><dd id="reopened">–</dd></div>
  </dl>
</section>
<section>
  <h2>Region</h2>
  <code id="roi">roi = [x, y, width, height]</code>
  <p id="hint">Drag a rectangle on the picture; the line goes into <b>[recipes.NAME.input]</b>.
    <button id="copy" hidden>copy</button> <button id="clear" hidden>clear</button></p>
</section>
<section>
  <details><summary>Settings that the camera read back</summary><table id="settings"></table></details>
  <details><summary>Keys and mouse</summary>
    <p>drag: region · shift + drag: move · wheel, <kbd>+</kbd> <kbd>-</kbd>: zoom · double click, <kbd>0</kbd>: whole
    picture · arrows: move · <kbd>f</kbd>: sharpness again · <kbd>x</kbd>: clipped pixels · <kbd>space</kbd>: pause ·
    <kbd>Esc</kbd>: no region</p></details>
</section>
</aside>
</main>
"""

_SCRIPT: Final = """
"use strict";
const id = name => document.getElementById(name);
const stage = id("stage"), picture = id("picture"), marks = id("marks");
let about = {regions: {}}, state = {}, number = -1, size = null, region = null, dragged = null;
let view = null, drawn = null;  // the piece that is asked for, and the one that is shown; null: all
let best = 0, bestOf = "", clipped = false, paused = false;
const say = (name, text, look) => { id(name).textContent = text; if (look !== undefined) id(name).className = look; };
const percent = share => (share * 100).toFixed(share < 0.0995 ? 1 : 0) + " %";
const whole = () => [0, 0, size[0], size[1]];
const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

function part() {
  if (region) return region;
  const known = Object.values(about.regions);
  return known.length === 1 ? known[0] : null;
}

async function go() {
  for (;;) {
    try {
      if (paused) { await new Promise(done => setTimeout(done, 200)); continue; }
      const width = clamp(Math.round(stage.clientWidth * devicePixelRatio), 16, 4096);
      const asked = new URLSearchParams({after: number, width: width});
      if (view) asked.set("view", view.join());
      if (part()) asked.set("part", part().join());
      if (clipped) asked.set("clipped", "1");
      const shownView = view;
      const answer = await fetch("picture?" + asked);
      if (!answer.ok) throw new Error("the preview answers " + answer.status);
      state = JSON.parse(answer.headers.get("X-State"));
      if (answer.status === 200) await draw(await answer.blob(), shownView);
      tell();
    } catch (error) {
      say("state", "the preview has ended", "wrong");
      say("problem", "The preview does not answer: " + error.message);
      await new Promise(done => setTimeout(done, 1000));
    }
  }
}

async function draw(blob, shownView) {
  const bitmap = await createImageBitmap(blob);
  if (!size || size[0] !== state.width || size[1] !== state.height) {
    size = [state.width, state.height];
    view = shownView = null;
  }
  picture.width = bitmap.width;
  picture.height = bitmap.height;
  picture.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  drawn = shownView;
  number = state.number;
  document.body.dataset.number = number;
  mark();
}

function tell() {
  say("problem", state.problem || "");
  say("state", state.problem ? "trouble" : paused ? "paused" : "live", state.problem ? "wrong" : "");
  say("rate", state.rate_hz === null ? "–" : state.rate_hz.toFixed(1));
  say("age", state.age_ms.toFixed(0) + " ms", state.age_ms > 1000 ? "bad" : state.age_ms > 200 ? "warn" : "");
  for (const name of ["lost", "damaged"]) say(name, state[name], state[name] ? "bad" : "");
  for (const name of ["skipped", "reopened"]) say(name, state[name], "");
  if (!size) return;
  say("size", state.width + " × " + state.height + " " + state.pixel_format);
  const where = part() ? (region ? "in the region drawn" : "in the recipe's region") : "in the whole picture";
  say("of", where);
  say("light", where);
  if (bestOf !== String(part())) { best = 0; bestOf = String(part()); }
  if (!state.problem) best = Math.max(best, state.focus);
  const share = best ? state.focus / best : 0;
  say("focus", state.focus.toFixed(state.focus < 100 ? 1 : 0));
  say("share", percent(share) + " of best");
  say("best", best.toFixed(best < 100 ? 1 : 0));
  const bar = document.querySelector("#bar i");
  bar.style.width = (share * 100).toFixed(1) + "%";
  bar.className = share > 0.97 ? "best" : "";
  say("mean", state.mean.toFixed(0));
  say("contrast", state.contrast.toFixed(0));
  say("saturated", percent(state.saturated), state.saturated > 0.02 ? "warn" : "");
  say("dark", percent(state.dark), state.dark > 0.5 ? "warn" : "");
  drawHistogram();
}

function drawHistogram() {
  const canvas = id("histogram"), pen = canvas.getContext("2d"), bins = state.histogram;
  const most = Math.max(...bins.slice(1, -1), 1), wide = canvas.width / bins.length;
  const look = getComputedStyle(document.documentElement);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  bins.forEach((count, at) => {
    const tall = Math.min(1, Math.sqrt(count / most)) * canvas.height;
    pen.fillStyle = look.getPropertyValue(at === 0 ? "--blue" : at === bins.length - 1 ? "--bad" : "--soft");
    pen.fillRect(at * wide, canvas.height - tall, wide - 1, tall);
  });
}

function mark() {
  if (!size) return;
  const [x, y, width] = drawn || whole(), ratio = devicePixelRatio;
  marks.width = stage.clientWidth * ratio;
  marks.height = stage.clientHeight * ratio;
  const pen = marks.getContext("2d"), scale = marks.width / width;
  const box = (rectangle, colour, text, dash) => {
    pen.strokeStyle = colour; pen.lineWidth = 2 * ratio; pen.setLineDash(dash);
    const [left, top] = [(rectangle[0] - x) * scale, (rectangle[1] - y) * scale];
    const [right, under] = [left + rectangle[2] * scale, top + rectangle[3] * scale];
    if (left > marks.width || top > marks.height || right < 0 || under < 0) return;
    pen.strokeRect(left, top, rectangle[2] * scale, rectangle[3] * scale);
    pen.font = 600 + " " + 13 * ratio + "px system-ui, sans-serif";
    const wide = pen.measureText(text).width + 10 * ratio, high = 19 * ratio;
    const [at, over] = [clamp(left, 0, marks.width - wide), clamp(top - high, 0, marks.height - high)];
    pen.fillStyle = colour; pen.fillRect(at, over, wide, high);
    pen.fillStyle = "#000"; pen.fillText(text, at + 5 * ratio, over + 14 * ratio);
  };
  for (const [name, rectangle] of Object.entries(about.regions)) box(rectangle, "#4fd08b", name, []);
  if (region) box(region, "#ffd24a", region[2] + " × " + region[3], [6 * ratio, 4 * ratio]);
  say("zoom", "zoom " + (scale / ratio * 100).toFixed(0) + " %");
}

function at(event) {
  const place = stage.getBoundingClientRect(), [x, y, width] = drawn || whole();
  const scale = width / place.width;
  return [x + (event.clientX - place.left) * scale, y + (event.clientY - place.top) * scale];
}

function zoom(factor, point) {
  if (!size) return;
  const [x, y, width, height] = view || whole();
  const wide = clamp(width / factor, 32, size[0]), tall = wide * size[1] / size[0];
  const [px, py] = point || [x + width / 2, y + height / 2];
  move(px - (px - x) * wide / width, py - (py - y) * tall / height, wide, tall);
}

function move(x, y, wide, tall) {
  if (wide >= size[0]) { view = null; } else {
    view = [clamp(x, 0, size[0] - wide), clamp(y, 0, size[1] - tall), wide, tall].map(Math.round);
  }
  number = -1;
}

function setRegion(value) {
  region = value;
  say("roi", value ? "roi = [" + value.join(", ") + "]" : "roi = [x, y, width, height]");
  id("copy").hidden = id("clear").hidden = !value;
  mark();
}

stage.addEventListener("pointerdown", event => {
  if (!size || event.button !== 0) return;
  stage.setPointerCapture(event.pointerId);
  dragged = {from: at(event), moves: event.shiftKey, view: (view || whole()).slice()};
});
stage.addEventListener("pointermove", event => {
  if (!size) return;
  const [x, y] = at(event);
  say("under", "x " + Math.floor(x) + ", y " + Math.floor(y));
  if (!dragged) return;
  if (dragged.moves) {
    const [left, top, wide, tall] = view || whole();
    move(left + dragged.from[0] - x, top + dragged.from[1] - y, wide, tall);
    return;
  }
  const left = clamp(Math.floor(Math.min(x, dragged.from[0])), 0, size[0] - 1);
  const top = clamp(Math.floor(Math.min(y, dragged.from[1])), 0, size[1] - 1);
  const right = clamp(Math.ceil(Math.max(x, dragged.from[0])), left + 1, size[0]);
  const bottom = clamp(Math.ceil(Math.max(y, dragged.from[1])), top + 1, size[1]);
  if (right - left > 3 && bottom - top > 3) setRegion([left, top, right - left, bottom - top]);
});
stage.addEventListener("pointerup", () => { dragged = null; });
stage.addEventListener("dblclick", () => { view = null; number = -1; });
stage.addEventListener("wheel", event => {
  event.preventDefault();
  zoom(event.deltaY < 0 ? 1.25 : 0.8, at(event));
}, {passive: false});

function toggle(name, value) { id(name).setAttribute("aria-pressed", value); number = -1; return value; }
const actions = {
  "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), "0": () => { view = null; number = -1; },
  f: () => { best = 0; }, x: () => { clipped = toggle("clip", !clipped); },
  " ": () => { paused = toggle("pause", !paused); say("state", paused ? "paused" : "live"); },
  Escape: () => setRegion(null),
};
const steps = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
addEventListener("keydown", event => {
  const isForButton = event.key === " " && event.target.tagName === "BUTTON";
  if (event.ctrlKey || event.metaKey || event.altKey || isForButton) return;
  const step = steps[event.key];
  if (step && view) move(view[0] + step[0] * view[2] / 8, view[1] + step[1] * view[3] / 8, view[2], view[3]);
  else if (actions[event.key]) actions[event.key]();
  else return;
  event.preventDefault();
});
id("clip").onclick = actions.x;
id("pause").onclick = actions[" "];
id("whole").onclick = actions["0"];
id("again").onclick = actions.f;
id("clear").onclick = actions.Escape;
id("copy").onclick = () => {
  const line = id("roi").textContent;
  if (navigator.clipboard) navigator.clipboard.writeText(line); else getSelection().selectAllChildren(id("roi"));
};
addEventListener("resize", mark);

(async () => {
  try { about = await (await fetch("about")).json(); } catch (error) { /* go() says that nobody answers */ }
  say("name", about.camera || "camera");
  say("model", [about.model, about.serial && "(" + about.serial + ")", about.driver].filter(Boolean).join(" "));
  say("exposure", about.exposure_us ? (about.exposure_us / 1000).toPrecision(3) + " ms" : "–");
  document.title = "preview · " + about.camera;
  for (const [name, value] of about.settings || []) {
    const row = id("settings").insertRow();
    row.insertCell().textContent = name;
    row.insertCell().textContent = value;
  }
  go();
})();
"""

PREVIEW_PAGE: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>preview</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
</head>
<body>{_BODY}<script>{_SCRIPT}</script></body>
</html>
"""
"""Plain HTML, no template: everything that changes is fetched."""
