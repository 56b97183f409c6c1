// Draws every chart from the embedded specifications, in the reader's colour
// scheme, and again when the scheme changes.
(function () {
  "use strict";
  var data = JSON.parse(document.getElementById("prism-data").textContent);
  var scheme = window.matchMedia("(prefers-color-scheme: dark)");

  // A copy of the specification with each light colour replaced by its dark partner.
  function recoloured(node) {
    if (typeof node === "string") {
      return Object.prototype.hasOwnProperty.call(data.dark, node) ? data.dark[node] : node;
    }
    if (Array.isArray(node)) return node.map(recoloured);
    if (node && typeof node === "object") {
      var copy = {};
      Object.keys(node).forEach(function (key) {
        // Data are the study's, not the page's.
        copy[key] = key === "values" ? node[key] : recoloured(node[key]);
      });
      return copy;
    }
    return node;
  }

  function draw() {
    var dark = scheme.matches;
    Object.keys(data.charts).forEach(function (id) {
      var place = document.getElementById(id);
      if (!place) return;
      var spec = dark ? recoloured(data.charts[id]) : data.charts[id];
      place.setAttribute("data-scheme", dark ? "dark" : "light");
      vegaEmbed(place, spec, {
        mode: "vega-lite",
        renderer: "svg",
        ast: true,
        actions: { editor: false, compiled: false, export: true, source: true },
        downloadFileName: "prism-" + id,
        tooltip: { theme: dark ? "dark" : "light" }
      }).catch(function (error) {
        place.textContent = "This chart could not be drawn: " + error.message;
      });
    });
  }

  draw();
  scheme.addEventListener("change", draw);
})();
