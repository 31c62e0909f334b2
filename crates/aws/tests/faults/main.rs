//! What becomes of data when servers and networks fail: the whole client against the emulator, in memory
//! and on paused time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod client;
mod connect;
mod history;
mod hostile;
mod interleave;
mod lab;
mod matrix;
mod model;
mod operation;
mod raw_server;
mod seeded;
mod small_parts;
