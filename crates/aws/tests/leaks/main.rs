//! What becomes of instances and all that is made for them when callers fail, give up or are killed: the
//! whole client against the emulator, in memory and on paused time.
//!
//! `LEAK_SCHEDULES=10000` plays more schedules than usual, `LEAK_SEED=7` plays one and tells all that
//! happens in it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod bystanders;
mod checks;
mod job;
mod lab;
#[path = "../common/paused.rs"]
mod paused;
mod plain;
mod schedule;
mod seeded;
mod steps;
mod tap;
