//! prism-model
