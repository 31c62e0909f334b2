//! The examples run, on this machine and on emulators of clouds, and do what they say.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod aws;
mod machines;
mod mapreduce;
mod run;
mod small;
