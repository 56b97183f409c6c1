//! How a word of the vocabulary is declared: once, as a type with its texts.
//!
//! [`words!`](crate::words) makes an enum whose cases are the words of a file or a table:
//! `Display`, `FromStr`, serde and a table cell follow from the one list. Text is met only at
//! the edge of a file; everywhere else the compiler knows what a thing is.

/// Declares an enum of words. `$what` names the kind of word in messages.
#[macro_export]
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident, $what:literal { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every word, in table order.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$variant),+];

            /// The word used in files and tables.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The case of that word.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|word| word.name() == name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Error;

            fn from_str(text: &str) -> Result<Self, $crate::Error> {
                Self::from_name(text).ok_or_else(|| $crate::Error::Value {
                    what: $what,
                    value: text.to_string(),
                    cause: "is not known".to_string(),
                    remedy: format!("give one of: {}", Self::ALL.map(Self::name).join(", ")),
                })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        $crate::text_cells!($name);
    };
}

#[cfg(test)]
mod tests {
    use crate::table::{Column, Row, Table};
    use crate::{Intervention, Outcome, table_row};

    table_row! {
        /// A row of words.
        pub struct Words {
            /// One.
            pub outcome: Outcome,
            /// One that may be absent.
            pub second: Option<Outcome>,
            /// A list of them.
            pub list: Vec<Intervention>,
        }
    }

    #[test]
    fn words_are_text_at_the_edge_and_types_within() {
        let row =
            Words { outcome: Outcome::NoAnswer, second: None, list: vec!["zero".parse().unwrap(), "noise:0.3/target".parse().unwrap()] };
        let table = Table::from_rows([row.clone()]);
        assert_eq!(table.column("outcome"), Some(&Column::Text(vec![Some("no_answer".into())])));
        assert_eq!(table.column("list"), Some(&Column::Texts(vec![Some(vec!["zero".into(), "noise:0.3/target".into()])])));
        assert_eq!(Words::get(&table, 0).unwrap(), row);
        assert_eq!(serde_json::to_value(&row).unwrap()["list"][1], "noise:0.3/target");
        assert!("fine".parse::<Outcome>().unwrap_err().to_string().contains("no_answer"));
    }

    #[test]
    fn an_unknown_word_is_named_and_an_optional_column_may_be_missing() {
        let mut table = Table::from_rows([Words { outcome: Outcome::Scored, second: None, list: vec![] }]);
        table.columns.retain(|(name, _)| name != "second");
        assert_eq!(Words::get(&table, 0).unwrap().second, None, "a table of before the column was there");
        table.columns[0].1 = Column::Text(vec![Some("splendid".into())]);
        let cause = Words::get(&table, 0).unwrap_err();
        assert!(cause.contains("splendid") && cause.contains("outcome"), "{cause}");
        table.columns.remove(0);
        assert!(Words::get(&table, 0).unwrap_err().contains("lacks the column `outcome`"));
    }
}
