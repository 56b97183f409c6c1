//! What stands after the colon of an intervention's name.

use std::fmt;

/// What an action is told beside its name; read from text and written to it.
pub(super) trait Argument: Sized {
    /// From what stands after the colon (`None`: no colon), or the cause of a refusal.
    fn read(text: Option<&str>) -> Result<Self, &'static str>;
    /// Its text; `None` where the name alone says it.
    fn text(&self) -> Option<String>;
    /// Orders the amounts of one action, smallest first.
    fn rank(&self) -> u64 {
        0
    }
}

fn amount(text: Option<&str>) -> Result<f64, &'static str> {
    let text = text.ok_or("lacks its amount")?;
    text.parse::<f64>().ok().filter(|amount| amount.is_finite() && *amount >= 0.0).ok_or("needs a finite amount of at least 0")
}

impl Argument for f64 {
    fn read(text: Option<&str>) -> Result<Self, &'static str> {
        amount(text)
    }
    fn text(&self) -> Option<String> {
        Some(self.to_string())
    }
    fn rank(&self) -> u64 {
        // The bits of a non-negative number sort as the number does.
        self.to_bits()
    }
}

impl Argument for usize {
    fn read(text: Option<&str>) -> Result<Self, &'static str> {
        text.ok_or("lacks its number of steps")?.parse().map_err(|_| "needs a number of steps")
    }
    fn text(&self) -> Option<String> {
        Some(self.to_string())
    }
    fn rank(&self) -> u64 {
        *self as u64
    }
}

/// Who gives the latents of an exchange. All draws are keyed by seed and example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Donor {
    /// Drawn from the declared pool, never the example itself.
    Random,
    /// The example at this row.
    Row(usize),
    /// From the pool, among examples with the same gold letter and number of options.
    SameAnswer,
    /// From the pool, among examples with another gold letter and the same number of options.
    OtherAnswer,
    /// Another question about the same image.
    SameImage,
    /// The counterfactual partner: the same scene with the one change that changes the answer.
    Counterfactual,
    /// The example itself: the check that the hook changes nothing.
    Itself,
}

impl Donor {
    /// Text of those that have one word.
    const NAMED: [(&'static str, Donor); 6] = [
        ("random", Donor::Random),
        ("same-answer", Donor::SameAnswer),
        ("other-answer", Donor::OtherAnswer),
        ("same-image", Donor::SameImage),
        ("counterfactual", Donor::Counterfactual),
        ("self", Donor::Itself),
    ];

    /// The words that can stand for one, in table order.
    pub(super) fn names() -> [&'static str; Donor::NAMED.len()] {
        Self::NAMED.map(|(name, _)| name)
    }

    /// Whether it is drawn from the declared pool.
    pub fn is_of_pool(self) -> bool {
        match self {
            Donor::Random | Donor::SameAnswer | Donor::OtherAnswer => true,
            Donor::Row(_) | Donor::SameImage | Donor::Counterfactual | Donor::Itself => false,
        }
    }
}

impl fmt::Display for Donor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, Self::NAMED.iter().find(|(_, donor)| donor == self)) {
            (_, Some((name, _))) => f.write_str(name),
            (Donor::Row(row), _) => write!(f, "{row}"),
            _ => Ok(()),
        }
    }
}

impl Argument for Donor {
    fn read(text: Option<&str>) -> Result<Self, &'static str> {
        let Some(text) = text else { return Ok(Donor::Random) };
        let named = Self::NAMED.into_iter().find(|(name, _)| *name == text).map(|(_, donor)| donor);
        named.or_else(|| text.parse().ok().map(Donor::Row)).ok_or("needs a donor: a row, or one of the named kinds")
    }
    fn text(&self) -> Option<String> {
        (*self != Donor::Random).then(|| self.to_string())
    }
    fn rank(&self) -> u64 {
        match self {
            Donor::Random => 0,
            Donor::Row(row) => 1 + *row as u64,
            _ => u64::MAX,
        }
    }
}

/// A share of a donor's latents, the rest the example's own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mixture {
    /// The donor's share, from 0 to 1.
    pub share: f64,
    /// Who gives.
    pub donor: Donor,
}

impl Argument for Mixture {
    fn read(text: Option<&str>) -> Result<Self, &'static str> {
        let text = text.ok_or("lacks its amount")?;
        let (share, donor) = text.split_once(':').map_or((text, None), |(share, donor)| (share, Some(donor)));
        let share = amount(Some(share)).ok().filter(|share| *share <= 1.0).ok_or("needs a share from 0 to 1")?;
        Ok(Mixture { share, donor: Donor::read(donor)? })
    }
    fn text(&self) -> Option<String> {
        Some(self.donor.text().map_or_else(|| self.share.to_string(), |donor| format!("{}:{donor}", self.share)))
    }
    fn rank(&self) -> u64 {
        self.share.to_bits()
    }
}
