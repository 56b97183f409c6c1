//! prism-audit
