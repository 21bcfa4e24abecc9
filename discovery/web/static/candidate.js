// The page of a candidate: copies its source to the letter.

const button = document.getElementById("copy");
button?.addEventListener("click", async () => {
  try {
    const answer = await fetch(button.dataset.source);
    await navigator.clipboard.writeText(await answer.text());
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not copied";
  }
});
