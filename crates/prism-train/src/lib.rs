//! prism-train
