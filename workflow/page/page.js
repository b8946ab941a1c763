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
  // What is wider than the window says so, also after its fold was opened or the window resized.
  const measure = (box) => {
    const hidden = box.scrollWidth - box.clientWidth;
    if (hidden < 2) delete box.dataset.cut;
    else box.dataset.cut = box.scrollLeft > hidden - 2 ? "end" : "start";
  };
  // The hint changes the height of its box, so that it waits for the next frame.
  const later = (box) => requestAnimationFrame(() => measure(box));
  const resized = new ResizeObserver((entries) => entries.forEach((entry) => later(entry.target)));
  for (const box of document.querySelectorAll(".scroll")) {
    resized.observe(box);
    box.addEventListener("scroll", () => measure(box), {passive: true});
  }
  // Everything is opened for print.
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((item) => { item.open = true; }));
})();
