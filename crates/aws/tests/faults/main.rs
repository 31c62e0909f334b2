//! What becomes of data when servers and networks fail: the whole client against the emulator, in memory
//! and on paused time.
//!
//! `FAULT_SCHEDULES=10000` plays more schedules than usual, `FAULT_SEED=7` plays one and tells all that
//! happens in it, `FAULT_OP=Put` plays the cells of one operation of the matrix.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod bulk;
mod client;
mod connect;
mod history;
mod hostile;
mod interleave;
mod lab;
mod matrix;
mod model;
mod operation;
#[path = "../common/paused.rs"]
mod paused;
mod raw_server;
mod seeded;
mod small_parts;
