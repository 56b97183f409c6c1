// Draws the charts from the embedded specifications, in the reader's colour scheme, each
// when it comes near the screen and the rest when there is time; and narrows the page to
// one variant, one intervention or one example, as the address after # says.
(function () {
  "use strict";
  var data = JSON.parse(document.getElementById("prism-data").textContent);
  var scheme = window.matchMedia("(prefers-color-scheme: dark)");
  var form = document.getElementById("filter");
  var select = document.getElementById("filter-intervention");
  var reset = document.getElementById("filter-reset");
  var status = document.getElementById("filter-status");
  var KEYS = ["variant", "intervention", "example"];
  var chosen = {};
  // The variant to which the columns of the cards are narrowed.
  var columns;

  // The marks of a chart stand as rows under their names, with what all of them share once.
  Object.keys(data.charts).forEach(function (id) {
    var of = data.charts[id].data, packed = of && of.packed;
    if (!packed) return;
    of.values = packed.rows.map(function (row) {
      var mark = Object.assign({}, packed.same);
      packed.names.forEach(function (name, i) { mark[name] = row[i]; });
      return mark;
    });
    delete of.packed;
  });

  function all(selector, root) {
    return Array.prototype.slice.call((root || document).querySelectorAll(selector));
  }

  // ---- what is chosen, and the address ----

  var variants = all("[data-pick-variant].chip").map(function (b) { return b.getAttribute("data-pick-variant"); });
  var interventions = all("option", select).map(function (o) { return o.value; }).filter(Boolean);

  // Reads the address; what names nothing on this page is ignored. The address of a row may hold an equals sign too.
  function read() {
    var found = {}, anchor = "", narrows = false;
    location.hash.slice(1).split("&").forEach(function (part) {
      var at = part.indexOf("="), key = part.slice(0, Math.max(at, 0)), value;
      try { value = decodeURIComponent(part.slice(at + 1)); } catch (e) { return; }
      if (KEYS.indexOf(key) < 0) {
        try { anchor = decodeURIComponent(part) || anchor; } catch (e) { anchor = part; }
        return;
      }
      narrows = true;
      if (key === "variant" && variants.indexOf(value) >= 0) found.variant = value;
      if (key === "intervention" && interventions.indexOf(value) >= 0) found.intervention = value;
      if (key === "example" && value) found.example = value;
    });
    return { chosen: found, anchor: anchor, narrows: narrows };
  }

  function write(anchor) {
    var parts = KEYS.filter(function (k) { return chosen[k]; }).map(function (k) { return k + "=" + encodeURIComponent(chosen[k]); });
    if (anchor) parts.unshift(anchor);
    try {
      history.replaceState(null, "", parts.length ? "#" + parts.join("&") : location.pathname + location.search);
    } catch (e) {
      // A page that may not write its address still narrows.
    }
  }

  // Chooses; the same again takes the choice back.
  function choose(change, toggles) {
    var same = toggles && Object.keys(change).every(function (k) { return chosen[k] === change[k]; });
    Object.keys(change).forEach(function (k) {
      if (same || !change[k]) delete chosen[k]; else chosen[k] = change[k];
    });
    write();
    apply();
  }

  // ---- narrowing tables and examples ----

  function apply() {
    var v = chosen.variant, i = chosen.intervention, x = chosen.example, narrow = !!(v || i || x);
    document.body.classList.toggle("filtered", narrow);
    all(".chip").forEach(function (b) { b.setAttribute("aria-pressed", String(b.getAttribute("data-pick-variant") === v)); });
    select.value = i || "";
    reset.disabled = !narrow;
    all("main [data-variant], main [data-intervention]").forEach(function (node) {
      var of = node.getAttribute("data-variant"), under = node.getAttribute("data-intervention");
      node.hidden = !!((v && of && of !== v) || (i && under && under !== i));
    });
    // In a card only the head of a column says whose it is.
    if (columns !== v) all(".answers thead [data-variant]").forEach(function (head) {
      all("tbody tr", head.closest("table")).forEach(function (row) { row.cells[head.cellIndex].hidden = head.hidden; });
    });
    columns = v;
    all(".cards").forEach(function (cards) {
      var shown = 0;
      all(".card", cards).forEach(function (card) {
        var fits = JSON.parse(card.getAttribute("data-flips")).some(function (f) { return (!v || f[0] === v) && (!i || f[1] === i); });
        card.hidden = x ? card.getAttribute("data-example") !== x : !!(v || i) && !fits;
        if (!card.hidden) shown += 1;
      });
      var none = cards.parentNode.querySelector(".none-fit");
      if (none) none.hidden = shown > 0;
    });
    say();
    Object.keys(data.charts).forEach(function (id) { stale[id] = true; });
    visible.forEach(function (id) { enqueue(id, true); });
    later();
  }

  function say() {
    status.textContent = "";
    if (!chosen.variant && !chosen.intervention && !chosen.example) return;
    var cards = all(".card"), shown = cards.filter(function (c) { return !c.hidden; }).length;
    var link = document.createElement("a"), what = [];
    var label = chosen.intervention && select.selectedOptions[0] ? select.selectedOptions[0].textContent : "";
    var chip = all(".chip").filter(function (b) { return b.getAttribute("aria-pressed") === "true"; })[0];
    if (chip) what.push(chip.textContent);
    if (label) what.push("under " + label);
    if (chosen.example) what.push("example " + chosen.example);
    var first = cards.filter(function (c) { return !c.hidden; })[0];
    link.href = first ? "#" + first.id : "#";
    link.textContent = shown === 1 ? "1 example" : shown + " examples";
    status.append(what.join(" ") + ": ", shown ? link : "no example");
    status.append(chosen.example ? " shown" : " of the " + cards.length + " shown " + (shown === 1 ? "flips" : "flip"));
  }

  // ---- charts ----

  // A copy of the specification in the scheme and without the marks that are not chosen.
  // Data are the study's: no colour is changed in them.
  function fitted(node, dark) {
    if (typeof node === "string") {
      return dark && Object.prototype.hasOwnProperty.call(data.dark, node) ? data.dark[node] : node;
    }
    if (Array.isArray(node)) return node.map(function (n) { return fitted(n, dark); });
    if (node && typeof node === "object") {
      var copy = {};
      Object.keys(node).forEach(function (key) {
        copy[key] = key === "values" ? node[key].filter(fits) : fitted(node[key], dark);
      });
      return copy;
    }
    return node;
  }

  function fits(mark) {
    var v = chosen.variant, i = chosen.intervention, x = chosen.example;
    return !((v && mark.variant_id && mark.variant_id !== v) || (i && mark.intervention_id && mark.intervention_id !== i) ||
      (x && mark.example && mark.example !== x));
  }

  var stale = {}, visible = new Set(), queue = [], busy = false, ready = false;

  function enqueue(id, first) {
    if (!stale[id]) return;
    queue = queue.filter(function (q) { return q !== id; });
    if (first) queue.unshift(id); else queue.push(id);
    next();
  }

  function next() {
    if (!ready || busy || !queue.length) return;
    busy = true;
    draw(queue.shift()).then(function () {
      busy = false;
      // Hands back to the page between charts.
      setTimeout(next, 0);
    });
  }

  function later() {
    var rest = function () { Object.keys(data.charts).forEach(function (id) { if (queue.indexOf(id) < 0) enqueue(id, false); }); };
    if (window.requestIdleCallback) requestIdleCallback(rest, { timeout: 1500 }); else setTimeout(rest, 300);
  }

  function draw(id) {
    var place = document.getElementById(id), spec = data.charts[id];
    delete stale[id];
    if (!place) return Promise.resolve();
    var dark = scheme.matches, marks = spec.data.values.filter(fits).length;
    var panel = place.parentNode;
    place.setAttribute("data-scheme", dark ? "dark" : "light");
    place.setAttribute("data-marks", String(marks));
    panel.hidden = !marks;
    if (!marks) return Promise.resolve();
    return vegaEmbed(place, fitted(spec, dark), {
      mode: "vega-lite",
      renderer: "svg",
      ast: true,
      // What Vega warns of, an interval that is absent, is no fault.
      logLevel: 1,
      actions: { editor: false, compiled: false, export: true, source: false },
      downloadFileName: "prism-" + id,
      tooltip: { theme: dark ? "dark" : "light" }
    }).then(function (result) {
      place.style.minHeight = "";
      // The place is the image and says in words what it shows; the marks within say nothing more.
      var svg = place.querySelector("svg");
      if (svg) svg.setAttribute("aria-hidden", "true");
      place.setAttribute("data-drawn", "true");
      // The menu stands beside the picture: an image holds no controls.
      var menu = place.querySelector("details"), old = panel.querySelector(":scope > details.figure-menu");
      if (old) old.remove();
      if (menu) {
        menu.className = "figure-menu";
        var summary = menu.querySelector("summary");
        summary.textContent = "Save";
        summary.setAttribute("aria-label", "Save this chart");
        menu.querySelector(".vega-actions").append(link("Vega-Lite", "prism-" + id + ".vl.json", "application/json", function () {
          return JSON.stringify(spec, null, 2);
        }));
        panel.appendChild(menu);
      }
      result.view.addEventListener("click", function (event, item) {
        var mark = item && item.datum;
        if (!mark || !mark.variant_id) return;
        var card = mark.example && all(".card").some(function (c) { return c.getAttribute("data-example") === mark.example; });
        if (mark.example && !card) status.textContent = "example " + mark.example + " has no card on this page";
        else if (mark.example) choose({ example: mark.example }, true);
        else choose({ variant: mark.variant_id, intervention: mark.intervention_id || chosen.intervention }, true);
      });
    }).catch(function (error) {
      place.textContent = "This chart could not be drawn: " + error.message;
    });
  }

  // A link that saves what `make` gives when it is followed.
  function link(label, name, kind, make) {
    var a = document.createElement("a");
    a.href = "#";
    a.textContent = label;
    a.addEventListener("click", function (event) {
      event.preventDefault();
      var url = URL.createObjectURL(new Blob([make()], { type: kind + ";charset=utf-8" }));
      var save = document.createElement("a");
      save.href = url;
      save.download = name;
      save.click();
      setTimeout(function () { URL.revokeObjectURL(url); }, 10000);
    });
    return a;
  }

  // ---- wiring ----

  document.addEventListener("click", function (event) {
    var button = event.target.closest && event.target.closest("[data-pick-variant]");
    if (button) {
      var change = { variant: button.getAttribute("data-pick-variant") };
      if (button.hasAttribute("data-pick-intervention")) change.intervention = button.getAttribute("data-pick-intervention");
      choose(change, true);
    }
  });
  select.addEventListener("change", function () { choose({ intervention: select.value }); });
  reset.addEventListener("click", function () { chosen = {}; write(); apply(); });
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape" && !reset.disabled && event.target !== select) reset.click();
  });
  window.addEventListener("hashchange", function () {
    var found = read();
    // A link within the page keeps the choice; an address with a choice replaces it.
    if (!found.narrows) { write(found.anchor); open(found.anchor); return; }
    chosen = found.chosen;
    apply();
    open(found.anchor);
  });
  scheme.addEventListener("change", function () {
    Object.keys(data.charts).forEach(function (id) { stale[id] = true; });
    visible.forEach(function (id) { enqueue(id, true); });
    later();
  });
  window.addEventListener("beforeprint", function () { all("section > details, figure.table details").forEach(function (d) { d.open = true; }); });

  // Brings an anchor into sight, unfolding what hides it.
  function open(anchor) {
    var node = anchor && document.getElementById(anchor);
    if (!node) return;
    node.hidden = false;
    for (var around = node.parentNode; around && around.nodeType === 1; around = around.parentNode) {
      if (around.nodeName === "DETAILS") around.open = true;
    }
    node.scrollIntoView();
  }

  // Runs the libraries, which stand in the page as text, after the first paint.
  function load() {
    all("script.library").forEach(function (text) {
      var script = document.createElement("script");
      script.textContent = text.textContent;
      document.head.appendChild(script);
    });
    ready = true;
    next();
  }

  form.hidden = false;
  var start = read();
  chosen = start.chosen;
  if (window.IntersectionObserver) {
    var observer = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        if (entry.isIntersecting) { visible.add(entry.target.id); enqueue(entry.target.id, true); } else visible.delete(entry.target.id);
      });
    }, { rootMargin: "300px" });
    all(".chart[id]").forEach(function (place) { observer.observe(place); });
  }
  apply();
  if (start.anchor) open(start.anchor);
  requestAnimationFrame(function () { setTimeout(load, 0); });
})();
