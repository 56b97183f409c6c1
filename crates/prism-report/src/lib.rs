//! prism-report
