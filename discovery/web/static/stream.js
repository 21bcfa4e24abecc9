// Follows a run: calls `changed(face)` with each event. Closed while the page is hidden, since a browser keeps only six
// connections to one server.

export function follow(run, changed) {
  let source = null;
  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource(`/api/runs/${encodeURIComponent(run)}/events`);
    source.onmessage = (event) => changed(JSON.parse(event.data));
    source.addEventListener("end", () => {
      source.close();
      document.removeEventListener("visibilitychange", turned);
    });
  };
  const close = () => {
    source?.close();
    source = null;
  };
  const turned = () => (document.hidden ? close() : open());
  document.addEventListener("visibilitychange", turned);
  window.addEventListener("pagehide", close);
  open();
}

/** Puts the words of a face where they belong. */
export function say(face) {
  for (const element of document.querySelectorAll("[data-text]")) {
    const text = face.texts[element.dataset.text] ?? "";
    if (element.textContent !== text) element.textContent = text;
  }
  for (const element of document.querySelectorAll("[data-link]")) {
    const link = face.texts[element.dataset.link];
    if (link) element.setAttribute("href", link);
    else element.removeAttribute("href");
  }
  const pill = document.getElementById("phase");
  if (pill) pill.className = `pill is-${face.status}`;
}
