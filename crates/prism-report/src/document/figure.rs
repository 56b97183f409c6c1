//! A figure: one or more charts, each a Vega-Lite specification with its data, and the same in words.

use serde_json::Value;

use super::prose::Prose;
use crate::charts::theme::VariantStyle;

/// One chart of a figure.
#[derive(Debug, Clone)]
pub struct Panel {
    /// What stands above it; may be empty.
    pub title: Prose,
    /// The specification, if there is anything to draw.
    pub spec: Option<Value>,
    /// The chart in words, with its numbers, for who cannot see it.
    pub alternative: String,
}

impl Panel {
    /// Marks that it draws: the values of its main data.
    pub fn marks(&self) -> usize {
        self.spec.as_ref().and_then(|spec| spec["data"]["values"].as_array()).map_or(0, Vec::len)
    }
}

/// Charts side by side, with the legend of the variants and a caption.
#[derive(Debug, Clone)]
pub struct Figure {
    /// Its name: of its files and its places on the page.
    pub name: &'static str,
    /// Its charts.
    pub panels: Vec<Panel>,
    /// The variants that its colours and shapes tell apart.
    pub variants: Vec<VariantStyle>,
    /// What it shows.
    pub caption: Prose,
    /// The table whose cells it draws.
    pub of: Option<&'static str>,
}

impl Figure {
    /// A figure without charts.
    pub fn new(name: &'static str, caption: impl Into<Prose>) -> Self {
        Self { name, panels: Vec::new(), variants: Vec::new(), caption: caption.into(), of: None }
    }

    /// With another chart; its words are the specification's description.
    #[must_use]
    pub fn panel(mut self, title: impl Into<Prose>, spec: Option<Value>) -> Self {
        let said = spec.as_ref().and_then(|spec| spec["description"].as_str()).unwrap_or("chart");
        self.panels.push(Panel { title: title.into(), alternative: said.to_string(), spec });
        self
    }

    /// With a legend of these variants.
    #[must_use]
    pub fn variants(self, styles: &[&VariantStyle]) -> Self {
        Self { variants: styles.iter().map(|&style| style.clone()).collect(), ..self }
    }

    /// Drawn from the cells of that table.
    #[must_use]
    pub fn of(self, table: &'static str) -> Self {
        Self { of: Some(table), ..self }
    }
}
