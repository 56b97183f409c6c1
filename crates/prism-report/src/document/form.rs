//! How the values of a column are written: unit, precision and alignment in one.

use super::value::Value;
use crate::number::ABSENT;

/// What one of a number is. The model holds shares; percent and points are how they are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number by itself.
    Plain,
    /// A share, printed in hundredths.
    Percent,
    /// A difference of shares, printed in hundredths.
    Points,
    /// Natural logarithm.
    Nats,
    /// Ten times the decimal logarithm.
    Decibels,
}

impl Unit {
    /// From what a cell holds to what is printed.
    pub fn factor(self) -> f64 {
        match self {
            Unit::Percent | Unit::Points => 100.0,
            Unit::Plain | Unit::Nats | Unit::Decibels => 1.0,
        }
    }

    /// Its name in files; empty for a number by itself.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Plain => "",
            Unit::Percent => "percent",
            Unit::Points => "points",
            Unit::Nats => "nats",
            Unit::Decibels => "dB",
        }
    }
}

/// What a column holds, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Runs, with the marks of their variants.
    Run,
    /// Interventions.
    Intervention,
    /// A few words.
    Words,
    /// Sentences.
    Text,
    /// Whole numbers.
    Count,
    /// Numbers, all with so many digits, so that their points stand one below the other.
    Number {
        /// What one of them is.
        unit: Unit,
        /// Digits after the point.
        digits: usize,
        /// Whether a number above zero has its sign.
        signed: bool,
    },
    /// Two numbers, the ends of an interval.
    Interval {
        /// What one of them is.
        unit: Unit,
        /// Digits after the point.
        digits: usize,
        /// Whether a number above zero has its sign.
        signed: bool,
    },
    /// p values: three digits, and below a thousandth that it is below.
    Probability,
}

/// Smallest p that is printed as a number.
const SMALLEST_P: f64 = 0.001;
/// A number from here on is printed with an exponent: no table has room for it.
const HUGE: f64 = 1e12;

impl Form {
    /// Whether the column is ranged left.
    pub fn is_words(self) -> bool {
        matches!(self, Form::Run | Form::Intervention | Form::Words | Form::Text)
    }

    /// What one of its numbers is.
    pub fn unit(self) -> Unit {
        match self {
            Form::Number { unit, .. } | Form::Interval { unit, .. } => unit,
            _ => Unit::Plain,
        }
    }

    /// Whether a value is one that the column holds. An absent one always is.
    pub fn holds(self, value: &Value) -> bool {
        match value {
            Value::Absent(_) => true,
            Value::Run(_) => self == Form::Run,
            Value::Intervention(_) => self == Form::Intervention,
            Value::Word { .. } | Value::Text(_) => self.is_words(),
            Value::Count(_) => self == Form::Count,
            Value::Number(_) => matches!(self, Form::Number { .. } | Form::Probability),
            Value::Interval(..) => matches!(self, Form::Interval { .. }),
        }
    }

    /// The value as a reader sees it: a true minus sign, a dash where there is none. No other function writes a number of
    /// the document.
    pub fn write(self, value: &Value) -> String {
        match (value, self) {
            (Value::Absent(_), _) => ABSENT.into(),
            (Value::Run(run), _) => run.label.clone(),
            (Value::Intervention(intervention), _) => intervention.to_string(),
            (Value::Word { text, .. } | Value::Text(text), _) => text.clone(),
            (Value::Count(count), _) => count.to_string(),
            (Value::Number(p), Form::Probability) if *p < SMALLEST_P => "< 0.001".into(),
            (Value::Number(p), Form::Probability) => written(*p, 3, false),
            (Value::Number(number), Form::Number { unit, digits, signed }) => written(number * unit.factor(), digits, signed),
            (Value::Interval(low, high), Form::Interval { unit, digits, signed }) => {
                let end = |end: f64| written(end * unit.factor(), digits, signed);
                format!("[{}, {}]", end(*low), end(*high))
            }
            // Kept out by the table ([`Form::holds`]).
            (Value::Number(_) | Value::Interval(..), _) => ABSENT.into(),
        }
    }

    /// The numbers of a value in the printed unit, with as many digits as a number has ([`exact`]).
    pub fn numbers(self, value: &Value) -> Vec<f64> {
        let printed = |number: f64| exact(number * self.unit().factor());
        match value {
            Value::Number(number) => vec![printed(*number)],
            Value::Interval(low, high) => vec![printed(*low), printed(*high)],
            _ => Vec::new(),
        }
    }
}

/// A number as printed.
fn written(value: f64, digits: usize, signed: bool) -> String {
    let text = match (value.abs() < HUGE, signed) {
        (false, _) => format!("{value:.2e}"),
        (true, true) => format!("{value:+.digits$}"),
        (true, false) => format!("{value:.digits$}"),
    };
    // What rounds to zero has no sign.
    let idle = text.chars().all(|c| matches!(c, '+' | '-' | '0' | '.'));
    let text = if idle { text.trim_start_matches(['+', '-']).to_string() } else { text };
    text.replace('-', "−")
}

/// A number at fifteen significant digits: 7 and not 7.000000000000001, which is 0.07 times 100.
pub fn exact(value: f64) -> f64 {
    format!("{value:.14e}").parse().unwrap_or(value)
}

/// The same as text, which reads back as the same number.
pub fn exact_text(value: f64) -> String {
    let value = exact(value);
    match value {
        0.0 => "0".into(),
        whole if whole == whole.trunc() && whole.abs() < HUGE => format!("{whole:.0}"),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINTS: Form = Form::Number { unit: Unit::Points, digits: 1, signed: true };

    #[test]
    fn numbers_are_written_in_their_unit_and_only_zero_has_no_sign() {
        let of = |v: f64| POINTS.write(&Value::Number(v));
        assert_eq!((of(-0.026), of(0.01), of(-0.0001), of(0.0)), ("−2.6".into(), "+1.0".into(), "0.0".into(), "0.0".into()));
        assert_eq!(of(1e300), "1.00e302");
        let interval = Form::Interval { unit: Unit::Percent, digits: 1, signed: false };
        assert_eq!(interval.write(&Value::Interval(0.625, 0.877)), "[62.5, 87.7]");
        assert_eq!(Form::Probability.write(&Value::Number(1e-9)), "< 0.001");
        assert_eq!(Form::Probability.write(&Value::Number(0.1)), "0.100");
    }

    #[test]
    fn a_number_in_a_file_is_the_one_in_the_cell_without_the_noise_of_its_unit() {
        assert_eq!(POINTS.numbers(&Value::Number(0.07)), [7.0]);
        assert_eq!(
            (exact_text(7.0), exact_text(-0.0), exact_text(0.1 + 0.2), exact_text(-40.0)),
            ("7".into(), "0".into(), "0.3".into(), "-40".into())
        );
        assert_eq!(exact_text(1e-7).parse::<f64>().unwrap(), 1e-7);
    }

    #[test]
    fn a_column_holds_what_it_is_for() {
        assert!(POINTS.holds(&Value::Number(1.0)) && POINTS.holds(&Value::Absent(String::new())));
        assert!(
            !POINTS.holds(&Value::Count(1)) && !Form::Count.holds(&Value::Number(1.0)) && !Form::Words.holds(&Value::Interval(0.0, 1.0))
        );
    }
}
