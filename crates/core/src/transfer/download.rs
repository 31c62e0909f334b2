use std::fs::{self, File};
use std::io;
use std::ops;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::future::FutureExt;
use futures::stream::{FuturesUnordered, TryStreamExt};

use super::{TransferOptions, blocking, pinned};
use crate::checksum::Checksum;
use crate::clock::{Random, SystemRandom};
use crate::error::{Error, ErrorKind, Outcome, Result, ResultExt};
use crate::object::{Body, GetOptions, GetResult, Key, ObjectMeta, ObjectStore, Range};

/// Bytes that are collected before they are written, and that are read at a time to verify them.
const CHUNK: usize = 1 << 20;

pub(crate) async fn download_file<S: ObjectStore + ?Sized>(
    store: &S,
    key: &Key,
    path: &Path,
    options: &TransferOptions,
) -> Result<ObjectMeta> {
    // The file comes first: a directory that cannot be written to should cost no request.
    let to = path.to_path_buf();
    let temp = blocking::run(move || Temp::beside(to)).await?;
    let get = store.get(key, &GetOptions::default()).await?;
    let (meta, verified_by) = (get.meta.clone(), get.verified_by);
    let file = Arc::clone(&temp.file);
    let sink = Sink { file, options, done: AtomicU64::new(0), size: meta.size };
    let read_whole =
        receive(store, key, get, &sink).await.during(store.info().provider, "get", key)?;
    let checksum = meta.checksums.cheapest().filter(|_| !(read_whole && verified_by.is_some()));
    let durable = options.durable;
    blocking::run(move || {
        if let Some(checksum) = checksum {
            temp.verify(checksum)?;
        }
        temp.persist(durable)
    })
    .await
    .during(store.info().provider, "get", key)?;
    Ok(meta)
}

/// Reads the object into the file. Returns whether it came in one piece.
///
/// The get that told the size is also the first part, so that a small object costs one request.
async fn receive<S: ObjectStore + ?Sized>(
    store: &S,
    key: &Key,
    get: GetResult,
    sink: &Sink<'_>,
) -> Result<bool> {
    let (size, part) = (get.meta.size, sink.options.part_size.max(1));
    sink.options.report(0, Some(size));
    if size <= part {
        sink.fill(0..size, get.body, Rest::Refuse).await?;
        return Ok(true);
    }
    let revision = get.meta.revision;
    let fetch = async |n: u64| {
        let range = n * part..size.min((n + 1) * part);
        let wanted = Range::bounded(range.start, range.end)?;
        let get = pinned::get(store, key, wanted, Some(&revision)).await?;
        pinned::check(store, key, &revision, &get.meta.revision)?;
        sink.fill(range, get.body, Rest::Refuse).await
    };
    let mut running = FuturesUnordered::new();
    running.push(sink.fill(0..part, get.body, Rest::Drop).boxed());
    for n in 1..size.div_ceil(part) {
        if running.len() >= sink.options.concurrency.max(1) {
            running.try_next().await?;
        }
        running.push(fetch(n).boxed());
    }
    while running.try_next().await?.is_some() {}
    Ok(false)
}

/// What to do with bytes behind the range that a body is read for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    Drop,
    Refuse,
}

/// The file that parts are written to, in any order.
struct Sink<'a> {
    file: Arc<File>,
    options: &'a TransferOptions,
    done: AtomicU64,
    size: u64,
}

impl Sink<'_> {
    /// Fills a range of the file from a body.
    async fn fill(&self, range: ops::Range<u64>, mut body: Body, rest: Rest) -> Result<()> {
        let mut at = range.start;
        let (mut pending, mut held) = (Vec::new(), 0);
        while at + held < range.end || rest == Rest::Refuse {
            let Some(mut chunk) = body.next_chunk().await? else { break };
            let room = range.end - at - held;
            if chunk.len() as u64 > room {
                if rest == Rest::Refuse {
                    return Err(wrong_length("more", &range));
                }
                chunk.truncate(usize::try_from(room).unwrap_or(usize::MAX));
            }
            held += chunk.len() as u64;
            pending.push(chunk);
            if held >= CHUNK as u64 {
                self.write(std::mem::take(&mut pending), at, held).await?;
                at += std::mem::take(&mut held);
            }
        }
        self.write(pending, at, held).await?;
        if at + held == range.end { Ok(()) } else { Err(wrong_length("less", &range)) }
    }

    async fn write(&self, chunks: Vec<Bytes>, mut at: u64, bytes: u64) -> Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        let file = Arc::clone(&self.file);
        blocking::run(move || {
            for chunk in chunks {
                blocking::write_at(&file, &chunk, at).map_err(|error| failed("write", error))?;
                at += chunk.len() as u64;
            }
            Ok(())
        })
        .await?;
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.options.report(done, Some(self.size));
        Ok(())
    }
}

/// A new file beside the one that it will become. Dropping it removes it.
struct Temp {
    file: Arc<File>,
    path: PathBuf,
    to: PathBuf,
    /// Whether it has got its name.
    kept: bool,
}

impl Temp {
    fn beside(to: PathBuf) -> Result<Self> {
        if to.file_name().is_none() {
            return Err(Error::invalid(format!("{} does not name a file", to.display())));
        }
        let name = format!(".polycloud-{:016x}.part", SystemRandom.next_u64());
        let path = to.with_file_name(name);
        let file = File::options().read(true).write(true).create_new(true).open(&path);
        let file = Arc::new(file.map_err(|error| failed("create", error))?);
        Ok(Self { file, path, to, kept: false })
    }

    /// Reads the file back and compares.
    fn verify(&self, expected: Checksum) -> Result<()> {
        let mut hasher = expected.algorithm().hasher();
        let (mut buffer, mut at) = (vec![0; CHUNK], 0);
        loop {
            let n = blocking::read_at(&self.file, at, &mut buffer)
                .map_err(|error| failed("read back", error))?;
            let Some(read) = buffer.get(..n).filter(|read| !read.is_empty()) else { break };
            hasher.update(read);
            at += n as u64;
        }
        expected.verify(&hasher.finish())
    }

    /// Gives the file its name.
    fn persist(mut self, durable: bool) -> Result<()> {
        if durable {
            self.file.sync_all().map_err(|error| failed("sync", error))?;
        }
        fs::rename(&self.path, &self.to).map_err(|error| failed("rename", error))?;
        self.kept = true;
        if durable {
            sync_parent(&self.to)
                .map_err(|error| failed("sync", error).with_outcome(Outcome::Applied))?;
        }
        Ok(())
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.kept {
            // Nobody is there to be told, and the name says what it is.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(unix)]
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// Elsewhere a directory cannot be opened, and the file system's own journal has to do.
#[cfg(not(unix))]
fn sync_parent(_: &Path) -> io::Result<()> {
    Ok(())
}

fn failed(what: &str, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::StorageFull,
        _ => ErrorKind::Internal,
    };
    Error::new(kind)
        .with_outcome(Outcome::NotApplied)
        .with_message(format!("cannot {what} the downloaded file"))
        .with_source(error)
}

fn wrong_length(how: &str, range: &ops::Range<u64>) -> Error {
    Error::new(ErrorKind::InvalidResponse)
        .with_outcome(Outcome::NotApplied)
        .with_message(format!("{how} content than the bytes {}..{}", range.start, range.end))
}
