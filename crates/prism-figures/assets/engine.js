// Draws a Vega-Lite specification without a browser: as SVG, and as the list of
// what Vega asked a canvas to paint, which the program paints itself.
"use strict";
globalThis.self = globalThis;
globalThis.console = { log() {}, info() {}, debug() {}, warn: complain, error: complain };
globalThis.setTimeout = function (task) { Promise.resolve().then(task); return 0; };
globalThis.clearTimeout = function () {};
globalThis.structuredClone = function (value) { return value === undefined ? value : JSON.parse(JSON.stringify(value)); };
function complain() { globalThis.complaints.push(Array.prototype.join.call(arguments, " ")); }

function outside() {
  complain("what lies outside the specification is not read");
  return Promise.reject(new Error("outside"));
}

// A canvas context that writes down what is painted, every path in device units.
function Recorder() {
  var list = [], saved = [], path = [], at = null;
  var state = {
    matrix: [1, 0, 0, 1, 0, 0], clips: [], fillStyle: "#000", strokeStyle: "#000", globalAlpha: 1, lineWidth: 1, lineCap: "butt",
    lineJoin: "miter", miterLimit: 10, dash: [], lineDashOffset: 0, font: "10px sans-serif", textAlign: "start", textBaseline: "alphabetic"
  };
  var context = {};
  Object.keys(state).forEach(function (key) {
    Object.defineProperty(context, key, { get: function () { return state[key]; }, set: function (value) { state[key] = value; } });
  });
  function place(x, y) {
    var m = state.matrix;
    return [m[0] * x + m[2] * y + m[4], m[1] * x + m[3] * y + m[5]];
  }
  function push(kind) {
    var numbers = [], step = {};
    for (var i = 1; i + 1 < arguments.length; i += 2) {
      at = [arguments[i], arguments[i + 1]];
      numbers = numbers.concat(place(at[0], at[1]));
    }
    step[kind] = numbers;
    path.push(step);
  }
  function paint(kind, what) {
    var scale = Math.sqrt(Math.abs(state.matrix[0] * state.matrix[3] - state.matrix[1] * state.matrix[2]));
    var style = kind === "stroke" ? state.strokeStyle : state.fillStyle;
    if (style && style.stops) {
      style = { stops: style.stops, from: place(style.from[0], style.from[1]), to: place(style.to[0], style.to[1]) };
    } else {
      style = { color: String(style) };
    }
    list.push({
      kind: kind, path: what, style: style, alpha: state.globalAlpha, clips: state.clips.slice(), width: state.lineWidth * scale,
      cap: state.lineCap, join: state.lineJoin, miter: state.miterLimit,
      dash: state.dash.map(function (d) { return d * scale; }), offset: state.lineDashOffset * scale
    });
  }
  function box(x, y, w, h) {
    var kept = path;
    path = [];
    context.rect(x, y, w, h);
    var made = path;
    path = kept;
    return made;
  }
  var methods = {
    save: function () { saved.push(Object.assign({}, state)); },
    restore: function () { if (saved.length) Object.assign(state, saved.pop()); },
    transform: function (a, b, c, d, e, f) {
      var m = state.matrix;
      state.matrix = [m[0] * a + m[2] * b, m[1] * a + m[3] * b, m[0] * c + m[2] * d, m[1] * c + m[3] * d,
        m[0] * e + m[2] * f + m[4], m[1] * e + m[3] * f + m[5]];
    },
    setTransform: function (a, b, c, d, e, f) { state.matrix = [a, b, c, d, e, f]; },
    translate: function (x, y) { context.transform(1, 0, 0, 1, x, y); },
    scale: function (x, y) { context.transform(x, 0, 0, y, 0, 0); },
    rotate: function (t) { context.transform(Math.cos(t), Math.sin(t), -Math.sin(t), Math.cos(t), 0, 0); },
    beginPath: function () { path = []; at = null; },
    closePath: function () { path.push("Z"); },
    moveTo: function (x, y) { push("M", x, y); },
    lineTo: function (x, y) { push(at ? "L" : "M", x, y); },
    bezierCurveTo: function (a, b, c, d, e, f) { push("C", a, b, c, d, e, f); },
    quadraticCurveTo: function (a, b, c, d) { push("Q", a, b, c, d); },
    rect: function (x, y, w, h) {
      push("M", x, y); push("L", x + w, y); push("L", x + w, y + h); push("L", x, y + h); path.push("Z");
    },
    // An arc as cubic curves of at most a quarter turn each.
    arc: function (x, y, r, from, to, backwards) {
      var turn = 2 * Math.PI, sweep = to - from;
      if (!backwards && sweep < 0) sweep = (sweep % turn) + turn;
      if (backwards && sweep > 0) sweep = (sweep % turn) - turn;
      sweep = Math.max(-turn, Math.min(turn, sweep));
      var parts = Math.max(1, Math.ceil(Math.abs(sweep) / (Math.PI / 2) - 1e-9)), step = sweep / parts;
      var k = (4 / 3) * Math.tan(step / 4) * r;
      context.lineTo(x + r * Math.cos(from), y + r * Math.sin(from));
      for (var i = 0; i < parts; i += 1) {
        var a = from + i * step, b = a + step;
        push("C", x + r * Math.cos(a) - k * Math.sin(a), y + r * Math.sin(a) + k * Math.cos(a),
          x + r * Math.cos(b) + k * Math.sin(b), y + r * Math.sin(b) - k * Math.cos(b), x + r * Math.cos(b), y + r * Math.sin(b));
      }
    },
    clip: function () { state.clips = state.clips.concat([path.slice()]); },
    fill: function () { paint("fill", path.slice()); },
    stroke: function () { paint("stroke", path.slice()); },
    fillRect: function (x, y, w, h) { paint("fill", box(x, y, w, h)); },
    strokeRect: function (x, y, w, h) { paint("stroke", box(x, y, w, h)); },
    clearRect: function () {},
    setLineDash: function (dash) { state.dash = Array.prototype.slice.call(dash || []); },
    getLineDash: function () { return state.dash; },
    fillText: function (text, x, y) {
      paint("text", []);
      var last = list[list.length - 1];
      last.text = { content: String(text), at: [x, y], size: fontSize(state.font), align: state.textAlign, matrix: state.matrix };
    },
    strokeText: function () { complain("text outlines are not drawn"); },
    measureText: function (text) { return { width: measure(String(text), fontSize(state.font)) }; },
    createLinearGradient: function (x0, y0, x1, y1) {
      var stops = [];
      return { stops: stops, from: [x0, y0], to: [x1, y1], addColorStop: function (where, color) { stops.push([where, String(color)]); } };
    },
    createRadialGradient: function () { complain("radial gradients are not drawn"); return "#000"; },
    drawImage: function () { complain("images are not drawn"); },
    isPointInPath: function () { return false; }
  };
  Object.assign(context, methods);
  return { context: context, list: list };
}

function fontSize(font) { return parseFloat((/([\d.]+)px/.exec(font) || [0, 11])[1]); }

function draw(text, scale) {
  globalThis.complaints = [];
  globalThis.drawing = globalThis.failure = null;
  vega.textMetrics.width = function (item, text) {
    // As Vega reads a text item: a value that is nothing is no text.
    return text === null || text === undefined ? 0 : measure(String(text), vega.fontSize ? vega.fontSize(item) : item.fontSize || 11);
  };
  vega.resetSVGClipId();
  vega.resetSVGDefIds();
  var recorder = Recorder(), view;
  Promise.resolve().then(function () {
    var compiled = vegaLite.compile(JSON.parse(text), { logger: { level: function () { return this; }, error: complain, warn: complain, info: function () { return this; }, debug: function () { return this; } } });
    view = new vega.View(vega.parse(compiled.spec), { renderer: "none", logLevel: vega.Error, loader: { load: outside, sanitize: outside } });
    return view.toSVG();
  }).then(function (svg) {
    return view.toCanvas(scale, { externalContext: recorder.context }).then(function () {
      globalThis.drawing = JSON.stringify({ svg: svg, painted: recorder.list, complaints: globalThis.complaints });
    });
  }).catch(function (error) { globalThis.failure = String(error && error.message || error); });
}
