// The token that allows to write comes behind the # of the printed address, which no browser sends on its own. It is
// kept by this origin alone, port included, and taken out of the address bar.

const KEY = "discover-token";
const given = new URLSearchParams(window.location.hash.slice(1)).get("token");
if (given) {
  localStorage.setItem(KEY, given);
  history.replaceState(null, "", window.location.pathname + window.location.search);
}

export const token = () => localStorage.getItem(KEY);
