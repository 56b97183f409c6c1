// Keys, the search among runs, and reloading when the run that is shown has changed on disk.
(function () {
  "use strict";
  var body = document.body;
  var help = document.getElementById("help");
  var live = document.getElementById("live");

  function go(selector) {
    var link = document.querySelector(selector);
    if (link) location.href = link.href;
    return !!link;
  }

  // Rows of tables that lead somewhere.
  var LEADS = "a.open, th a.behind";
  function rows() {
    return Array.prototype.slice.call(document.querySelectorAll("table.rows tbody tr, .typed tbody tr")).filter(function (row) {
      return row.querySelector(LEADS) && row.offsetParent !== null;
    });
  }

  function move(by) {
    var all = rows();
    if (!all.length) return;
    var at = all.findIndex(function (row) { return row.classList.contains("chosen"); });
    var next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by));
    if (at >= 0) all[at].classList.remove("chosen");
    all[next].classList.add("chosen");
    all[next].querySelector(LEADS).focus({ preventScroll: true });
    all[next].scrollIntoView({ block: "nearest" });
  }

  function step(by) {
    if (!go(by > 0 ? "a[rel=next]" : "a[rel=prev]")) move(by);
  }

  document.addEventListener("keydown", function (event) {
    var target = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) && target.type !== "checkbox") {
      if (event.key === "Escape") target.blur();
      return;
    }
    if (help.open) return;
    switch (event.key) {
      case "j": step(1); break;
      case "k": step(-1); break;
      // The arrows scroll a table that has the focus.
      case "ArrowRight": if (target.closest(".scroll")) return; step(1); break;
      case "ArrowLeft": if (target.closest(".scroll")) return; step(-1); break;
      case "p": go("a[rel=related]"); break;
      case "u": go("a[rel=up]"); break;
      case "/":
        var words = document.getElementById("words");
        if (!words) { go("a[rel=up]"); break; }
        words.focus();
        words.select();
        break;
      case "?": help.showModal(); break;
      default: return;
    }
    event.preventDefault();
  });

  // Rows that do not hold the words are hidden while they are typed; what is ticked stays ticked.
  var narrows = document.querySelector("input[data-narrows]");
  if (narrows) narrows.addEventListener("input", function () {
    var words = narrows.value.toLowerCase().split(/\s+/).filter(Boolean);
    var left = 0;
    document.querySelectorAll("table.runs tbody tr").forEach(function (row) {
      var text = row.textContent.toLowerCase();
      row.hidden = !words.every(function (word) { return text.indexOf(word) >= 0; });
      if (!row.hidden) left += 1;
    });
    var none = document.querySelector("[data-none]");
    if (none) none.hidden = left > 0;
  });

  function busy() {
    var at = document.activeElement;
    var ticked = document.querySelector("input[type=checkbox]:checked");
    return help.open || ticked || (at && /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName));
  }

  function look() {
    if (document.hidden) return;
    var of = body.dataset.run ? "?run=" + encodeURIComponent(body.dataset.run) : "";
    fetch("/api/version" + of, { cache: "no-store" }).then(function (answer) {
      if (!answer.ok) throw new Error(answer.status);
      return answer.json();
    }).then(function (version) {
      live.textContent = "";
      if (version.stamp === body.dataset.stamp) return;
      if (busy()) live.textContent = "The files have changed: reload to see.";
      else location.reload();
    }).catch(function () {
      live.textContent = "The explorer does not answer: it was stopped, or the run is gone.";
    });
  }
  setInterval(look, 2500);
})();
