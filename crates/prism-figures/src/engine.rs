//! Vega-Lite without a browser: the page's own scripts ([`prism_report::vendored`]) in an
//! embedded interpreter that has no files, no network and no clock, and a bound
//! on memory and time. What comes out is the SVG and what Vega paints on a canvas.

use std::rc::Rc;
use std::time::{Duration, Instant};

use rquickjs::{CatchResultExt, Context, Ctx, Function, Runtime};
use serde::Deserialize;
use serde_json::Value;

use prism_report::html::plain;
use prism_report::vendored::{VEGA, VEGA_LITE};

use super::canvas::{self, Painted};
use super::font::Font;

const SCRIPT: &str = include_str!("../assets/engine.js");

/// Most memory the interpreter may take, in bytes.
const MEMORY: usize = 1 << 30;
/// Most time one figure may take.
const TIME: Duration = Duration::from_secs(60);
/// Pixels of the PNG per unit of the figure.
const SCALE: f64 = 2.0;

/// The interpreter with Vega loaded; one draws any number of figures.
pub struct Engine {
    // The context goes before the runtime it lives in.
    context: Context,
    _runtime: Runtime,
    deadline: Rc<std::cell::Cell<Instant>>,
    font: Rc<Font>,
}

/// A figure, drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    /// The SVG, text as text.
    pub svg: String,
    /// The PNG, two pixels a unit.
    pub png: Vec<u8>,
    /// Characters the shipped typeface has no shape for.
    pub lacking: Vec<char>,
}

#[derive(Deserialize)]
struct Answer {
    svg: String,
    painted: Vec<Painted>,
    complaints: Vec<String>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts the interpreter and loads the scripts.
    ///
    /// # Errors
    /// What failed, in words.
    pub fn start() -> Result<Self, String> {
        let font = Rc::new(Font::open().ok_or("the shipped typeface cannot be read")?);
        let runtime = Runtime::new().map_err(|e| e.to_string())?;
        runtime.set_memory_limit(MEMORY);
        runtime.set_max_stack_size(1 << 20);
        let deadline = Rc::new(std::cell::Cell::new(Instant::now() + TIME));
        let until = Rc::clone(&deadline);
        runtime.set_interrupt_handler(Some(Box::new(move || Instant::now() > until.get())));
        let context = Context::full(&runtime).map_err(|e| e.to_string())?;
        let widths = Rc::clone(&font);
        context.with(|js| {
            let measure =
                Function::new(js.clone(), move |text: String, size: f64| widths.measure(&text, size)).map_err(|e| e.to_string())?;
            js.globals().set("measure", measure).map_err(|e| e.to_string())?;
            // The shims come first: Vega looks for the console and the clock as it loads.
            [SCRIPT, VEGA, VEGA_LITE].into_iter().try_for_each(|script| run(&js, script))
        })?;
        Ok(Self { context, _runtime: runtime, deadline, font })
    }

    /// Draws one specification.
    ///
    /// # Errors
    /// What Vega says is wrong with it, or that it took too long or too much memory.
    pub fn draw(&self, specification: &Value) -> Result<Drawing, String> {
        self.deadline.set(Instant::now() + TIME);
        let answer = self.context.with(|js| {
            let globals = js.globals();
            globals.set("specification", specification.to_string()).map_err(|e| e.to_string())?;
            run(&js, &format!("draw(specification, {SCALE})"))?;
            while js.execute_pending_job() {}
            let text = |name: &str| globals.get::<_, Option<String>>(name).map_err(|e| e.to_string());
            match (text("drawing")?, text("failure")?) {
                (Some(drawing), None) => Ok(drawing),
                (_, Some(failure)) => Err(failure),
                (None, None) => Err(format!("not done after {} s, or out of memory", TIME.as_secs())),
            }
        })?;
        let answer: Answer = serde_json::from_str(&answer).map_err(|e| e.to_string())?;
        if let Some(complaint) = answer.complaints.first() {
            return Err(complaint.clone());
        }
        let (width, height) = size(&answer.svg).ok_or("the drawing has no size")?;
        let png = canvas::png(&answer.painted, width * SCALE, height * SCALE, &self.font)?;
        // A viewer of the file obeys what is in a name as much as a browser does.
        let svg = plain(&answer.svg).replace('\r', "\u{fffd}");
        let mut lacking = self.font.lacks(&text_of(&svg));
        lacking.sort_unstable();
        lacking.dedup();
        Ok(Drawing { svg, png, lacking })
    }
}

fn run(js: &Ctx<'_>, script: &str) -> Result<(), String> {
    js.eval::<(), _>(script).catch(js).map_err(|e| e.to_string().lines().next().unwrap_or("the interpreter stopped").to_string())
}

/// Width and height as the SVG's first element gives them.
fn size(svg: &str) -> Option<(f64, f64)> {
    let head = svg.get(..svg.find('>')?)?;
    let number = |name: &str| head.split_once(&format!(" {name}=\""))?.1.split('"').next()?.parse().ok();
    Some((number("width")?, number("height")?))
}

/// What stands between the tags.
fn text_of(svg: &str) -> String {
    let mut inside = false;
    svg.chars()
        .filter(|c| {
            match c {
                '<' => inside = true,
                '>' => {
                    inside = false;
                    return false;
                }
                _ => {}
            }
            !inside
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bars(names: &[&str]) -> Value {
        let rows: Vec<Value> = names.iter().enumerate().map(|(i, name)| json!({"name": name, "value": i + 1})).collect();
        json!({"width": 200, "height": 100, "data": {"values": rows}, "mark": "bar", "encoding": {
            "x": {"field": "value", "type": "quantitative"}, "y": {"field": "name", "type": "nominal"}}})
    }

    #[test]
    fn one_engine_draws_the_same_bytes_again_after_another_figure() {
        let engine = Engine::start().unwrap();
        let first = engine.draw(&bars(&["LVR", "P-LVR-3"])).unwrap();
        engine.draw(&bars(&["other"])).unwrap();
        assert!(first == engine.draw(&bars(&["LVR", "P-LVR-3"])).unwrap());
        assert!(first == Engine::start().unwrap().draw(&bars(&["LVR", "P-LVR-3"])).unwrap());
        assert!(first.lacking.is_empty() && first.png.starts_with(b"\x89PNG"));
    }

    #[test]
    fn hostile_names_are_text_and_what_the_typeface_lacks_is_told() {
        let name = "</text><script>alert(1)</script>&\"'漢";
        let drawing = Engine::start().unwrap().draw(&bars(&[name])).unwrap();
        assert!(!drawing.svg.contains("<script") && drawing.svg.contains("&lt;script"), "{}", drawing.svg);
        assert_eq!(drawing.lacking, ['漢']);
    }

    #[test]
    fn a_name_turns_no_text_of_the_drawing_round() {
        let drawing = Engine::start().unwrap().draw(&bars(&["a\u{202e}b\u{1b}[2J\u{ad}"])).unwrap();
        assert!(drawing.svg.contains("a\u{fffd}b\u{fffd}[2J\u{fffd}"), "{}", drawing.svg);
        assert!(!drawing.svg.chars().any(|c| prism_run::shown::is_obeyed(c) && c != '\n'), "{}", drawing.svg);
    }

    #[test]
    fn what_vega_refuses_is_an_error_and_the_engine_goes_on() {
        let engine = Engine::start().unwrap();
        for wrong in
            [json!({"mark": "nonsense", "encoding": {}}), json!(3), json!({"width": 100_000, "mark": "bar", "data": {"values": [{}]}})]
        {
            assert!(engine.draw(&wrong).is_err(), "{wrong}");
        }
        let outside = json!({"data": {"url": "file:///etc/passwd"}, "mark": "point", "encoding": {"x": {"field": "a", "type": "nominal"}}});
        assert!(engine.draw(&outside).is_err(), "nothing outside is read");
        assert!(engine.draw(&bars(&["LVR"])).is_ok());
    }
}
