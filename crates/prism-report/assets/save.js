// Saves a table of the page as CSV, Markdown or LaTeX, as `prism report --tables` writes it: read back from its markup,
// so that what is saved is what is shown. Where the page cut a table, so does the file.
var prismSave = (function () {
  "use strict";
  var ABSENT = "\u2013";
  var APART = ["BR", "SMALL", "LI", "P", "DIV", "SPAN"];
  var LATEX = {
    "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "\\textless{}", ">": "\\textgreater{}",
    "|": "\\textbar{}", "\"": "\\textquotedbl{}", "\u2212": "$-$", "\u2013": "--", "\u2019": "'", "\u201c": "``", "\u201d": "''",
    "\u00b1": "$\\pm$", "\u00d7": "$\\times$", "\u00b7": "$\\cdot$", "\u2265": "$\\geq$", "\u2264": "$\\leq$", "\u03c3": "$\\sigma$",
    "\u03bb": "$\\lambda$", "\u03c1": "$\\rho$", "\u0394": "$\\Delta$", "\u2192": "$\\rightarrow$", "\u2026": "\\ldots{}"
  };
  "&%$#_{}".split("").forEach(function (c) { LATEX[c] = "\\" + c; });

  function all(selector, root) { return Array.prototype.slice.call(root.querySelectorAll(selector)); }

  // What a reader sees of a node, on one line.
  function text(node) {
    var out = "";
    (function walk(n) {
      if (n.nodeType === 3) { out += n.data; return; }
      if (n.nodeType !== 1 || n.nodeName.toLowerCase() === "svg") return;
      if (APART.indexOf(n.nodeName) >= 0) out += " ";
      n.childNodes.forEach(walk);
      if (n.nodeName === "P" || n.nodeName === "LI") out += " ";
    })(node);
    return out.split(/\s+/).filter(Boolean).join(" ");
  }

  function read(figure) {
    var caption = figure.querySelector("figcaption").cloneNode(true);
    all("b.number, .cut", caption).forEach(function (n) { n.remove(); });
    var cells = function (row) {
      return Array.prototype.map.call(row.cells, function (c) {
        return { text: text(c), span: c.colSpan, words: c.getAttribute("scope") === "row" || c.classList.contains("text") || c.classList.contains("prose") };
      });
    };
    var rows = function (part) { return all(part + " > tr", figure).filter(function (r) { return !r.hidden; }).map(cells); };
    return { caption: text(caption), head: rows("thead"), body: rows("tbody"), label: "tab:table-" + figure.getAttribute("data-number") };
  }

  function width(table) {
    return Math.max.apply(null, table.head.concat(table.body).map(function (row) {
      return row.reduce(function (sum, c) { return sum + c.span; }, 0);
    }));
  }

  function repeated(value, times) { return Array.apply(null, Array(times)).map(function () { return value; }); }

  // One name a column: its group, then its own.
  function names(table) {
    var out = repeated("", width(table));
    table.head.forEach(function (row) {
      var at = 0;
      row.forEach(function (c) {
        for (var i = 0; i < c.span; i += 1, at += 1) if (c.text) out[at] += (out[at] ? ": " : "") + c.text;
      });
    });
    return out;
  }

  function words(table) {
    var last = table.head[table.head.length - 1] || [];
    return repeated(true, width(table)).map(function (_, i) {
      if (i === 0 || (last[i] && last[i].words)) return true;
      return table.body.every(function (row) { return row.length <= i || row[i].words; });
    });
  }

  // Characters of the longest cell of each column in the body.
  function longest(table) {
    var out = repeated(0, width(table));
    table.body.forEach(function (row) {
      var at = 0;
      row.forEach(function (c) {
        if (c.span === 1) out[at] = Math.max(out[at], Array.from(c.text).length);
        at += c.span;
      });
    });
    return out;
  }

  function filled(table, row, write) {
    var out = [];
    row.forEach(function (c) { out.push(write(c.text)); for (var i = 1; i < c.span; i += 1) out.push(""); });
    return out.concat(repeated("", width(table) - out.length));
  }

  function csv(table) {
    var quoted = function (cell) { return /[",\r\n]/.test(cell) ? "\"" + cell.replace(/"/g, "\"\"") + "\"" : cell; };
    var plain = function (cell) { return cell === ABSENT ? "" : cell.replace(/\u2212/g, "-"); };
    var lines = [names(table)].concat(table.body.map(function (row) { return filled(table, row, plain); }));
    return lines.map(function (cells) { return cells.map(quoted).join(",") + "\n"; }).join("");
  }

  function markdown(table) {
    var escaped = function (cell) { return cell.replace(/\\/g, "\\\\").replace(/\|/g, "\\|").replace(/</g, "&lt;").replace(/\*/g, "\\*"); };
    var line = function (cells) { return "| " + cells.join(" | ") + " |\n"; };
    var rule = words(table).map(function (w) { return w ? ":--" : "--:"; });
    var body = table.body.map(function (row) { return line(filled(table, row, escaped)); });
    return escaped(table.caption) + "\n\n" + line(names(table).map(escaped)) + line(rule) + body.join("");
  }

  function tex(cell) {
    return Array.from(cell).map(function (c) { return LATEX[c] || (/[\u0000-\u001f\u007f-\u009f]/.test(c) ? " " : c); }).join("");
  }

  function texRow(row, wordy) {
    var at = 0;
    var line = row.map(function (c) {
      var out = tex(c.text);
      if (c.span > 1) out = "\\multicolumn{" + c.span + "}{" + (c.words ? "l" : "c") + "}{" + out + "}";
      else if (c.words && wordy[at] === false) out = "\\multicolumn{1}{l}{" + out + "}";
      at += c.span;
      return out;
    }).join(" & ");
    return (line.charAt(0) === "[" ? "{}" : "") + line + " \\\\\n";
  }

  function latex(table) {
    var wordy = words(table), wide = wordy.length > 8, long = longest(table);
    var out = "% \\usepackage{booktabs}" + (wide ? " and \\usepackage{graphicx}" : "") + "\n\\begin{table}[t]\n\\centering\n\\caption{" +
      tex(table.caption) + "}\n\\label{" + table.label + "}\n" + (wide ? "\\resizebox{\\linewidth}{!}{%\n" : "") +
      "\\begin{tabular}{" + wordy.map(function (w, i) { return !w ? "r" : long[i] > 40 ? "p{0.3\\linewidth}" : "l"; }).join("") + "}\n\\toprule\n";
    table.head.forEach(function (row, place) {
      out += texRow(row, wordy);
      if (place + 1 === table.head.length) return;
      var at = 1;
      row.forEach(function (c) {
        if (c.text) out += "\\cmidrule(lr){" + at + "-" + (at + c.span - 1) + "}";
        at += c.span;
      });
      out += "\n";
    });
    out += "\\midrule\n" + table.body.map(function (row) { return texRow(row, wordy); }).join("");
    return out + "\\bottomrule\n\\end{tabular}" + (wide ? "}\n" : "\n") + "\\end{table}\n";
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

  // A menu on every table that has none: those of the document carry their file.
  function tables() {
    all("figure.table:not(.typed)", document).forEach(function (figure) {
      var stem = "table-" + figure.getAttribute("data-number"), menu = document.createElement("details");
      var summary = document.createElement("summary"), actions = document.createElement("div");
      summary.textContent = "Save";
      summary.setAttribute("aria-label", "Save Table " + figure.getAttribute("data-number"));
      actions.className = "vega-actions";
      actions.append(
        link("CSV", stem + ".csv", "text/csv", function () { return csv(read(figure)); }),
        link("Markdown", stem + ".md", "text/markdown", function () { return markdown(read(figure)); }),
        link("LaTeX", stem + ".tex", "application/x-tex", function () { return latex(read(figure)); })
      );
      menu.className = "figure-menu";
      menu.append(summary, actions);
      figure.prepend(menu);
    });
  }

  return { link: link, tables: tables };
})();
