//! What a person at a terminal sees while the job runs.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on the terminal; nothing where there is none.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{msg:>10} [{bar:40}] {pos}/{len}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self(bar)
    }

    pub(crate) fn begin(&self, what: &'static str, of: usize) {
        self.0.reset();
        // Draws on the terminal behind standard error, if there is one.
        self.0.set_draw_target(ProgressDrawTarget::stderr());
        self.0.set_length(of as u64);
        self.0.set_message(what);
    }

    pub(crate) fn advance(&self, by: u64) {
        self.0.inc(by);
    }

    pub(crate) fn at(&self, position: usize) {
        self.0.set_position(position as u64);
    }

    /// Prints a line above the bar, also where there is no terminal.
    pub(crate) fn note(&self, line: &str) {
        self.0.suspend(|| eprintln!("{line}"));
    }

    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}
