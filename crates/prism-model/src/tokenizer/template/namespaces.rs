//! Namespaces, the only values of a template that can come to hold themselves. Comparing, sorting or writing one that does has no
//! end, and MiniJinja's stack has one. So a namespace is used by its attributes alone, as real templates use it.

use super::dialect::{Kind, inner_tags, tokens};

/// How `source` uses a namespace as a value; `None` where it does not.
pub(super) fn misused(source: &str) -> Option<String> {
    let tags: Vec<Vec<(Kind, &str)>> = inner_tags(source).into_iter().map(pieces).collect();
    let made = |tag: &[(Kind, &str)]| tag.iter().any(|(kind, text)| *kind == Kind::Operand && *text == "namespace");
    let mut names = Vec::new();
    for tag in tags.iter().filter(|tag| made(tag)) {
        match tag.as_slice() {
            [(Kind::Keyword, "set" | "with"), (Kind::Operand, name), (Kind::Sign, "="), ..] => names.push(*name),
            _ if attribute_alone(tag) => {}
            _ => return Some("makes a namespace without a name of its own".into()),
        }
    }
    let bare =
        |tag: &[(Kind, &str)]| (0..tag.len()).find(|at| names.contains(&tag[*at].1) && is_value(tag, *at)).map(|at| tag[at].1.to_owned());
    tags.iter().find_map(|tag| bare(tag)).map(|name| format!("uses the namespace `{name}` as a value, not by its attributes"))
}

/// The tokens of a tag that are no space, without the signs beside its brackets.
fn pieces(inner: &str) -> Vec<(Kind, &str)> {
    let inner = inner.trim_matches(['-', '+']);
    tokens(inner).into_iter().filter(|(kind, _)| *kind != Kind::Space).map(|(kind, place)| (kind, &inner[place])).collect()
}

/// Whether the word is the name of something's attribute wherever it stands.
fn attribute_alone(tag: &[(Kind, &str)]) -> bool {
    let at = |at: usize| at > 0 && tag[at - 1] == (Kind::Sign, ".");
    (0..tag.len()).filter(|n| tag[*n].1 == "namespace").all(at)
}

/// Whether the name at that place stands for the namespace itself.
fn is_value(tag: &[(Kind, &str)], at: usize) -> bool {
    let next = |n: usize| tag.get(at + n).copied();
    let of_another = at > 0 && tag[at - 1] == (Kind::Sign, ".");
    let by_attribute = matches!(next(1), Some((Kind::Sign, ".") | (Kind::Open, "[") | (Kind::Keyword, "is")));
    let assigned = next(1) == Some((Kind::Sign, "=")) && next(2) != Some((Kind::Sign, "="));
    !(of_another || by_attribute || assigned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_used_by_its_attributes() {
        for source in [
            "{%- set ns = namespace(a=1, b=messages|length - 1) -%}{%- set ns.a = ns.a + 1 %}{{ ns.a }}{{- ns['b'] -}}",
            "{% if ns is defined %}{% endif %}{% set ns = namespace(a=1) %}",
            "{{ x.namespace }} namespace(ns) {# {{ ns }} #}{{ 'namespace(ns)' }}",
            "{% set ns = namespace(a=1) %}{{ f(ns=2) }}",
        ] {
            assert_eq!(misused(source), None, "{source}");
        }
        for (source, says) in [
            ("{% set ns = namespace(a=1) %}{% set ns.a = ns %}", "`ns`"),
            ("{% set ns = namespace(a=1) %}{% set m = [ns] %}", "`ns`"),
            ("{% set ns = namespace(a=1) %}{{ ns == 1 }}", "`ns`"),
            ("{% for n in [namespace(a=1)] %}{% set n.a = n %}{% endfor %}", "without a name"),
            ("{{ {'a': namespace()} }}", "without a name"),
        ] {
            assert!(misused(source).is_some_and(|said| said.contains(says)), "{source}");
        }
    }
}
