//! Clouds in a process.

mod http;
mod s3;
