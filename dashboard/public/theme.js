// Before the first paint, so that no page flashes in the wrong theme.
(function () {
  var asked = new URLSearchParams(location.search).get("theme");
  var kept = null;
  try {
    kept = localStorage.getItem("pitot-theme");
  } catch {
    // Storage may be forbidden; the system's preference then decides.
  }
  var theme =
    asked || kept || (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");
  document.documentElement.dataset.theme =
    theme === "light" || theme === "contrast" ? theme : "dark";
})();
