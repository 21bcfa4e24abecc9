// Zoom and pan of a picture: by wheel, pinch, drag, or asked for. One factor for both directions.

const MOST = 80;

/** `changed` is called after every change, `tapped` with the place of a click that was no drag. */
export function camera(root, { width, height }, changed, tapped) {
  let [k, tx, ty] = [1, 0, 0];
  let waiting = false;
  const fingers = new Map();
  let moved = 0;

  const settle = () => {
    k = Math.min(MOST, Math.max(1, k));
    tx = Math.min(0, Math.max(width * (1 - k), tx));
    ty = Math.min(0, Math.max(height * (1 - k), ty));
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      changed();
    });
  };
  const zoomAt = (factor, [x, y]) => {
    const now = Math.min(MOST, Math.max(1, k * factor));
    [tx, ty, k] = [x - ((x - tx) * now) / k, y - ((y - ty) * now) / k, now];
    settle();
  };
  const at = (event) => {
    const box = root.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  root.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && document.activeElement !== root) return; // the page scrolls until the picture is chosen
    event.preventDefault();
    zoomAt(Math.exp(-event.deltaY / 300), at(event));
  }, { passive: false });
  root.addEventListener("pointerdown", (event) => {
    root.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
    if (fingers.size === 1) moved = 0;
  });
  root.addEventListener("pointermove", (event) => {
    const old = fingers.get(event.pointerId);
    if (!old) return;
    const now = at(event);
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    moved += Math.hypot(now[0] - old[0], now[1] - old[1]);
    fingers.set(event.pointerId, now);
    if (other) {
      const spread = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]) || 1;
      zoomAt(spread(now) / spread(old), other);
    } else {
      [tx, ty] = [tx + now[0] - old[0], ty + now[1] - old[1]];
      settle();
    }
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    root.addEventListener(kind, (event) => {
      if (kind === "pointerup" && fingers.size === 1 && moved < 5) tapped(at(event));
      fingers.delete(event.pointerId);
    });
  }

  return {
    get transform() { return `matrix(${k} 0 0 ${k} ${tx} ${ty})`; },
    get state() { return { k, tx, ty, width }; },
    /** Where a place of the picture is on the screen. */
    seen: ([x, y]) => [x * k + tx, y * k + ty],
    zoom: (factor) => zoomAt(factor, [width / 2, height / 2]),
    fit() { [k, tx, ty] = [1, 0, 0]; settle(); },
    restore(state) { ({ k, tx, ty } = state); settle(); },
    /** Moves as little as brings a place into view. */
    keep([x, y]) {
      const air = 40;
      const [sx, sy] = [x * k + tx, y * k + ty];
      tx += Math.max(0, air - sx) - Math.max(0, sx - width + air);
      ty += Math.max(0, air - sy) - Math.max(0, sy - height + air);
      settle();
    },
  };
}
