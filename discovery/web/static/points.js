// Points that can be pointed at, walked with the arrow keys, read aloud and opened: what all charts share.

import { svg } from "./draw.js";

const NEAR = 26; // pixels

/** Lets a drawn chart be explored. `points` are {x, y, say, open} in drawing order; the text of the chosen one goes
    into `readout`. Enter or a click opens it. */
export function explorable(root, points, readout) {
  let chosen = -1;
  const ring = root.appendChild(svg("circle", { class: "ring", r: 7, visibility: "hidden" }));

  const choose = (n) => {
    chosen = n;
    const point = points[n];
    ring.setAttribute("visibility", point ? "visible" : "hidden");
    root.style.cursor = point ? "pointer" : "";
    if (!point) return;
    ring.setAttribute("cx", point.x);
    ring.setAttribute("cy", point.y);
    readout.textContent = point.say;
  };
  const nearest = (event) => {
    const box = root.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let best = -1;
    let least = NEAR;
    points.forEach((p, n) => {
      const d = Math.hypot(p.x - x, p.y - y);
      if (d < least) [best, least] = [n, d];
    });
    return best;
  };
  const open = () => {
    if (points[chosen]) window.location.assign(points[chosen].open);
  };

  root.addEventListener("pointermove", (event) => choose(nearest(event)));
  root.addEventListener("click", (event) => {
    choose(nearest(event));
    open();
  });
  root.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (step && points.length) choose((chosen + step + points.length) % points.length);
    else if (event.key === "Enter") open();
    else return;
    event.preventDefault();
  });
}
