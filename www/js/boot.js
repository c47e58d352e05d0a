// Runs before anything is painted (a classic script in the head): colour scheme, language and direction, and the site's theme if it had one last time.
// Neighbours: settings.js keeps the choices; i18n.js gets the texts; look.js asks the server whether there is a theme and remembers it.
// Leaves out: everything that can wait. What it finds out about the page stands in the data of the root element.

(() => {
  const root = document.documentElement;
  const languages = ["en", "de", "fr", "es", "zh", "ar"];

  // Installations on one host share its storage: outside the top folder the names of what is kept have the folder in them. Read as place.js reads it.
  const folder = location.pathname.replace(/\/(?:conversation\/[^/.]+|[^/]*)$/, "/");
  root.dataset.store = folder === "/" ? "parley." : `parley:${folder}:`;

  function stored(name) {
    try {
      return JSON.parse(localStorage.getItem(root.dataset.store + name) ?? "null") ?? {};
    } catch {
      return {};
    }
  }

  function paint() {
    const { scheme } = stored("settings");
    if (scheme === "light" || scheme === "dark") root.dataset.theme = scheme;
    else delete root.dataset.theme;
  }
  paint();
  addEventListener("storage", ({ key }) => { if (key === null || key === `${root.dataset.store}settings`) paint(); });      // chosen in another tab

  const wanted = [stored("settings").language, ...(navigator.languages ?? [])].filter(Boolean).map((tag) => tag.toLowerCase().split("-")[0]);
  root.lang = wanted.find((tag) => languages.includes(tag)) ?? "en";
  root.dir = root.lang === "ar" ? "rtl" : "ltr";

  const look = stored("look");
  if (look.theme) {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = look.theme;
    link.id = "theme";
    link.setAttribute("blocking", "render");
    document.head.append(link);
  }
})();
