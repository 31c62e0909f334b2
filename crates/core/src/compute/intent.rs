use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::id::InstanceName;
use super::labels::Owner;
use crate::clock::Random;
use crate::error::{Error, ErrorKind, Outcome, ResourceRef, Result};

/// A journal larger than this is none of ours.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// What is about to be made, written down before it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Intent {
    /// The token of the create.
    pub token: String,
    /// Who the instances belong to.
    pub owner: Option<Owner>,
    /// The name of the instance, or what the names of several begin with.
    pub name: InstanceName,
    /// The region, zone or resource group.
    pub scope: String,
    /// When it was begun.
    pub started: SystemTime,
    /// What was made so far, as far as that was noted.
    #[serde(skip)]
    pub resources: Vec<ResourceRef>,
}

impl Intent {
    /// An intent of which nothing was made yet.
    pub fn new(
        token: impl Into<String>,
        owner: Option<Owner>,
        name: InstanceName,
        scope: impl Into<String>,
        started: SystemTime,
    ) -> Self {
        let (token, scope) = (token.into(), scope.into());
        Self { token, owner, name, scope, started, resources: Vec::new() }
    }
}

/// Identifies an intent within its journal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IntentId(String);

/// A file that tells what creates were begun and not brought to an end.
///
/// Providers show what was just made with a delay, so that a search for what a killed process left can
/// miss it. With a journal the search knows by which tokens to ask. Any number of processes may share one
/// file: each change is one line, appended under a lock and on the disk before the method returns. A line
/// that a crash cut off is passed over. Once all intents are done, the file is emptied.
///
/// There are names and tokens in the file, and no secrets. Methods do their file work on a thread for
/// blocking work of the Tokio runtime; dropping their futures does not interrupt it.
#[derive(Debug, Clone)]
pub struct IntentJournal {
    path: Arc<Path>,
    random: Arc<dyn Random>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Begin(IntentId, Intent),
    Note(IntentId, String, String),
    Done(IntentId),
}

impl IntentJournal {
    /// A journal in a file, which is made when the first intent is written.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, random: Arc<dyn Random>) -> Self {
        Self { path: path.into().into(), random }
    }

    /// Writes down what is about to be made. Nothing may be made before this returns.
    ///
    /// # Errors
    /// `Config` if the file cannot be written.
    pub async fn begin(&self, intent: Intent) -> Result<IntentId> {
        let id = IntentId(format!("{:016x}", self.random.next_u64()));
        self.append(Line::Begin(id.clone(), intent)).await?;
        Ok(id)
    }

    /// Adds a resource to what was made.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub async fn note(&self, id: &IntentId, resource: &ResourceRef) -> Result<()> {
        let (kind, native) = (resource.kind.clone().into_owned(), resource.id.clone());
        self.append(Line::Note(id.clone(), kind, native)).await
    }

    /// Says that nothing of an intent is left unaccounted for: all of it was made and returned, or all of
    /// it is gone.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub async fn done(&self, id: &IntentId) -> Result<()> {
        self.append(Line::Done(id.clone())).await
    }

    /// What was begun and not brought to an end, the oldest first.
    ///
    /// # Errors
    /// `Config` if the file cannot be read.
    pub async fn pending(&self) -> Result<Vec<(IntentId, Intent)>> {
        let pending = self.blocking(|path| match File::open(path) {
            Ok(mut file) => {
                file.lock_shared()?;
                read(&mut file)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(error),
        });
        let mut pending: Vec<_> = pending.await?.into_iter().collect();
        pending.sort_by_key(|(_, intent)| intent.started);
        Ok(pending)
    }

    async fn append(&self, line: Line) -> Result<()> {
        let mut text = serde_json::to_vec(&line)
            .map_err(|error| Error::new(ErrorKind::Internal).with_source(error))?;
        text.push(b'\n');
        self.blocking(move |path| {
            let is_new = !path.exists();
            let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
            file.lock()?;
            if matches!(line, Line::Done(_)) && is_last(&mut file, &line)? {
                file.set_len(0)?;
            } else {
                close_line(&mut file)?;
                file.write_all(&text)?;
            }
            file.sync_all()?;
            if is_new { sync_parent(path) } else { Ok(()) }
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let path = Arc::clone(&self.path);
        let result = tokio::task::spawn_blocking(move || work(&path)).await;
        result.map_err(io::Error::other).flatten().map_err(|error| {
            Error::config(format!("the journal {} cannot be used", self.path.display()))
                .with_outcome(Outcome::NotApplied)
                .with_source(error)
        })
    }
}

/// Makes sure that the name of a new file is on the disk, too.
#[cfg(unix)]
fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// Elsewhere folders cannot be opened, and names are kept with their files.
#[cfg(not(unix))]
fn sync_parent(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Begins a new line behind one that was cut off.
fn close_line(file: &mut File) -> io::Result<()> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    if last == *b"\n" { Ok(()) } else { file.write_all(b"\n") }
}

/// Whether nothing is pending any more once this line is there.
fn is_last(file: &mut File, line: &Line) -> io::Result<bool> {
    let mut pending = read(file)?;
    if let Line::Done(id) = line {
        pending.remove(id);
    }
    Ok(pending.is_empty())
}

fn read(file: &mut File) -> io::Result<BTreeMap<IntentId, Intent>> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is larger than 64 MiB"));
    }
    let mut pending = BTreeMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        match serde_json::from_slice(line) {
            Ok(Line::Begin(id, intent)) => drop(pending.insert(id, intent)),
            Ok(Line::Note(id, kind, native)) => {
                if let Some(intent) = pending.get_mut(&id) {
                    intent.resources.push(ResourceRef::new(kind, native));
                }
            }
            Ok(Line::Done(id)) => drop(pending.remove(&id)),
            // Cut off by a crash: what it would have told was not begun, or is asked for by the token.
            Err(_) => {}
        }
    }
    Ok(pending)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::clock::SystemRandom;

    fn intent(token: &str, second: u64) -> Intent {
        let started = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let owner = Some(Owner::new("me").unwrap());
        Intent::new(token, owner, InstanceName::new("web").unwrap(), "eu-west-1", started)
    }

    fn journal(dir: &tempfile::TempDir) -> IntentJournal {
        IntentJournal::new(dir.path().join("journal"), Arc::new(SystemRandom))
    }

    #[tokio::test]
    async fn what_is_not_done_is_pending() {
        let dir = tempfile::tempdir().unwrap();
        let one = journal(&dir);
        assert_eq!(one.pending().await.unwrap(), []);
        let late = one.begin(intent("late", 2)).await.unwrap();
        let early = one.begin(intent("early", 1)).await.unwrap();
        let group = ResourceRef::new("security group", "sg-1");
        one.note(&late, &group).await.unwrap();

        let another = journal(&dir);
        let pending = another.pending().await.unwrap();
        let tokens: Vec<_> = pending.iter().map(|(_, intent)| intent.token.as_str()).collect();
        assert_eq!(tokens, ["early", "late"]);
        assert_eq!(pending[1].1.resources, [group]);

        another.done(&early).await.unwrap();
        assert_eq!(one.pending().await.unwrap().len(), 1);
        one.done(&late).await.unwrap();
        assert_eq!(one.pending().await.unwrap(), []);
        assert_eq!(fs::metadata(dir.path().join("journal")).unwrap().len(), 0, "it is emptied");
    }

    #[tokio::test]
    async fn a_line_that_was_cut_off_harms_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        journal(&dir).begin(intent("a", 1)).await.unwrap();
        let whole = fs::read(&path).unwrap();
        for cut in 1..whole.len() {
            fs::write(&path, [&whole[..], &whole[..cut]].concat()).unwrap();
            let id = journal(&dir).begin(intent("b", 2)).await.unwrap();
            assert_eq!(journal(&dir).pending().await.unwrap().len(), 2, "cut at {cut}");
            journal(&dir).done(&id).await.unwrap();
            let pending = journal(&dir).pending().await.unwrap();
            assert_eq!(pending.len(), 1, "cut at {cut}");
            assert_eq!(pending[0].1, intent("a", 1));
        }
    }

    #[test]
    fn processes_share_a_journal() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        std::thread::scope(|scope| {
            for n in 0..4_u64 {
                let journal = journal(&dir);
                scope.spawn(move || {
                    runtime().block_on(async {
                        let kept = journal.begin(intent(&format!("kept-{n}"), n)).await.unwrap();
                        for i in 0..25_u64 {
                            let id = journal.begin(intent(&format!("{n}-{i}"), i)).await.unwrap();
                            let disk = ResourceRef::new("disk", format!("{n}-{i}"));
                            journal.note(&kept, &disk).await.unwrap();
                            journal.done(&id).await.unwrap();
                        }
                    });
                });
            }
        });
        let pending = runtime().block_on(journal(&dir).pending()).unwrap();
        assert_eq!(pending.len(), 4);
        for (n, (_, intent)) in pending.iter().enumerate() {
            assert_eq!(intent.token, format!("kept-{n}"));
            assert_eq!(intent.resources.len(), 25);
        }
    }

    #[tokio::test]
    async fn a_journal_that_cannot_be_written_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let journal = IntentJournal::new(dir.path().join("none/journal"), Arc::new(SystemRandom));
        let error = journal.begin(intent("a", 1)).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Config, Outcome::NotApplied));
        assert!(error.message().contains("none/journal"));
        assert_eq!(journal.pending().await.unwrap(), []);
    }
}
