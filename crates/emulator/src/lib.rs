//! Clouds in a process.
