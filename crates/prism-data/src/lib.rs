//! prism-data
