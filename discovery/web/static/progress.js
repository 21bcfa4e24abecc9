// The page of a run: words, bars and the curve, kept up to date by the stream.

import { curve } from "./curve.js";
import { html } from "./draw.js";
import { follow, say } from "./stream.js";

const live = document.getElementById("live");
const load = curve(document.getElementById("curve"), document.getElementById("curve-readout"));
let seen = live.dataset.seen;
load();

if (!["done", "failed"].includes(live.dataset.status)) {
  follow(live.dataset.run, (face) => {
    say(face);
    bars(document.getElementById("bars"), face.bars.map((b) => ({ ...b, most: b.limit, value: b.used })));
    const most = face.losses.length ? face.losses[0].count : 1;
    bars(document.getElementById("losses"), face.losses.map((l) => ({ name: l.kind, text: l.count, most, value: l.count })), "is-loss");
    document.getElementById("no-losses").hidden = face.losses.length > 0;
    if (face.seen !== seen) load();
    seen = face.seen;
  });
}

function bars(list, shown, kind = "") {
  list.replaceChildren(...shown.map((b) => {
    const row = document.createElement("div");
    row.append(html("dt", "", b.name), html("dd", "", b.text));
    if (b.most) {
      const bar = html("progress", kind);
      Object.assign(bar, { max: b.most, value: Math.min(b.value, b.most) });
      bar.setAttribute("aria-label", b.name);
      const cell = html("dd", "bar");
      cell.append(bar);
      row.append(cell);
    }
    return row;
  }));
}
