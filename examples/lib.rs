//! The programs are examples: `cargo run --example quickstart`. There is nothing in this library.
