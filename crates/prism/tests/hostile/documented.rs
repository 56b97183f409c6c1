//! The page of promises says every limit.

use prism_run::door::Limit;

#[test]
fn every_limit_stands_on_the_page() {
    let page = include_str!("../../../../docs/reference/security.md");
    for limit in Limit::ALL {
        let told = limit.cause();
        let row = format!("| {} |", told.strip_prefix("asks for more than ").unwrap());
        assert!(page.contains(&row), "docs/reference/security.md lacks the row `{row}`");
    }
}
