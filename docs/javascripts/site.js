// What the theme leaves out, for those who use a keyboard or a screen reader: wide tables can be
// scrolled with keys, and no two parts of the navigation have the same name.
let number = 0;

function nameOf(part) {
  const by = document.getElementById(part.getAttribute("aria-labelledby") ?? "");
  return (part.getAttribute("aria-label") ?? by?.textContent ?? "Code").trim();
}

function mend() {
  for (const wide of document.querySelectorAll(".md-typeset__scrollwrap")) {
    if (wide.tabIndex < 0) wide.tabIndex = 0;
  }
  for (const part of document.querySelectorAll("nav nav, nav.md-code__nav")) {
    if (part.dataset.named) continue;
    part.dataset.named = "yes";
    part.setAttribute("aria-label", `${nameOf(part)}, part ${++number}`);
    part.removeAttribute("aria-labelledby");
  }
}

mend();
new MutationObserver(mend).observe(document.documentElement, { childList: true, subtree: true });
