"use strict";
// The colour scheme follows the system until the reader chooses.
(() => {
  const button = document.getElementById("scheme");
  const root = document.documentElement;
  const isDark = () => root.dataset.scheme === "dark" || (!root.dataset.scheme && matchMedia("(prefers-color-scheme: dark)").matches);
  button.addEventListener("click", () => {
    root.dataset.scheme = isDark() ? "light" : "dark";
    button.setAttribute("aria-pressed", String(isDark()));
  });
  // The section in view is marked in the list of sections.
  const anchors = new Map([...document.querySelectorAll("nav a")].map((anchor) => [anchor.hash.slice(1), anchor]));
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      anchors.forEach((anchor) => anchor.removeAttribute("aria-current"));
      anchors.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, {rootMargin: "-20% 0px -70% 0px"});
  document.querySelectorAll("main > section").forEach((section) => watch.observe(section));
  // Everything is opened for print.
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((item) => { item.open = true; }));
})();
