use std::fs::File;
use std::io;

use crate::error::{Error, ErrorKind, Result};

/// Runs file I/O on a thread that may block. Dropping the future lets it finish unobserved.
pub(super) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(join) => match join.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::new(ErrorKind::Cancelled).with_message("the runtime shuts down")),
        },
    }
}

/// Reads into the buffer from a position, until it is full or the file ends.
pub(super) fn read_at(file: &File, mut at: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut rest = &mut *buffer;
    while !rest.is_empty() {
        match read_once(file, rest, at) {
            Ok(0) => break,
            Ok(n) => {
                rest = rest.get_mut(n..).unwrap_or_default();
                at += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let left = rest.len();
    Ok(buffer.len() - left)
}

#[cfg(unix)]
fn read_once(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

#[cfg(windows)]
fn read_once(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

/// Writes all of the data at a position.
#[cfg(unix)]
pub(super) fn write_at(file: &File, data: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, data, at)
}

/// Writes all of the data at a position.
#[cfg(windows)]
pub(super) fn write_at(file: &File, mut data: &[u8], mut at: u64) -> io::Result<()> {
    while !data.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_write(file, data, at)?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        data = data.get(n..).unwrap_or_default();
        at += n as u64;
    }
    Ok(())
}
