// The export of a candidate: shown to whoever opened the printed address, which holds the token.

import { html } from "./draw.js";
import { token } from "./token.js";

const form = document.getElementById("export");
const told = document.getElementById("exported");
if (form && token()) {
  form.hidden = false;
  document.getElementById("export-how").hidden = true;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    told.replaceChildren(html("p", "quiet", "Writing the package and trying it in the sandbox …"));
    told.replaceChildren(...(await written().catch((error) => [html("p", "worse", error.message)])));
    button.disabled = false;
  });
}

async function written() {
  const answer = await fetch("/api/export", {
    method: "POST",
    headers: { Authorization: `Bearer ${token()}`, "Content-Type": "application/json" },
    body: JSON.stringify({ name: form.dataset.name, licence: form.elements.licence.value || null }),
  });
  const data = await answer.json();
  if (!answer.ok) throw new Error(data.error);
  const line = html("p", "", `${data.package} ${data.version} is in `);
  line.append(html("code", "", data.folder));
  const install = html("p", "", "Install it: ");
  install.append(html("code", "", `pip install ${data.wheel}`));
  return [line, install];
}
