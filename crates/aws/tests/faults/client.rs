//! A client that does what chance tells it, and takes note of what it sees.

use std::ops::Range as Bounds;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use polycloud_aws::S3Store;
use polycloud_core::clock::{Clock as _, Random};
use polycloud_core::object::{
    Attributes, CopyOptions, CopySource, DeleteItem, DeleteOptions, GetOptions, HeadOptions, Key,
    ListEntry, ListOptions, ObjectStore, ObjectStoreExt as _, ObjectUpdate, Precondition,
    PutOptions, PutResult, Range, Revision, Tags as ObjectTags, UploadOptions,
};
use polycloud_core::{Error, ErrorKind, Outcome, Result};

use crate::history::{Change, End, History, OP, content};
use crate::lab::{DEADLINE, PART, RuntimeClock, key};
use crate::model::{Action, Held, When};
use crate::small_parts::SmallParts;

/// Keys that clients fight for.
pub(crate) const KEYS: usize = 3;

/// Keys that are there all the time.
pub(crate) const FIXED: usize = 5;

pub(crate) fn fought(n: usize) -> Key {
    key(&format!("k/{n}"))
}

pub(crate) fn fixed(n: usize) -> Key {
    key(&format!("fixed/{n}"))
}

/// What clients share.
pub(crate) struct World {
    pub(crate) history: Mutex<History>,
    pub(crate) clock: Arc<RuntimeClock>,
    pub(crate) versioned: bool,
    /// Whether bits are flipped, which nobody notices in a part of an object.
    pub(crate) damage: bool,
}

impl World {
    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap()
    }
}

pub(crate) struct Client {
    name: usize,
    store: S3Store,
    parts: SmallParts,
    random: Arc<dyn Random>,
    world: Arc<World>,
    known: Vec<Option<Revision>>,
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Put,
    PutIfAbsent,
    PutIfUnchanged,
    UploadSmall,
    UploadParts,
    UploadIfAbsent,
    UploadAbort,
    Copy,
    CopyIfAbsent,
    Update,
    UpdateTags,
    Delete,
    DeleteIfMatch,
    DeleteMany,
    Get,
    GetRange,
    Head,
    List,
    ListVersions,
}

/// How often each is drawn, in hundredths.
const OPS: [(Op, u64); 19] = [
    (Op::Put, 12),
    (Op::PutIfAbsent, 9),
    (Op::PutIfUnchanged, 10),
    (Op::UploadSmall, 3),
    (Op::UploadParts, 5),
    (Op::UploadIfAbsent, 4),
    (Op::UploadAbort, 2),
    (Op::Copy, 6),
    (Op::CopyIfAbsent, 4),
    (Op::Update, 4),
    (Op::UpdateTags, 2),
    (Op::Delete, 5),
    (Op::DeleteIfMatch, 6),
    (Op::DeleteMany, 3),
    (Op::Get, 9),
    (Op::GetRange, 5),
    (Op::Head, 4),
    (Op::List, 5),
    (Op::ListVersions, 2),
];

impl Client {
    pub(crate) fn new(
        name: usize,
        store: S3Store,
        random: Arc<dyn Random>,
        world: Arc<World>,
    ) -> Self {
        let parts = SmallParts::new(&store);
        Self { name, store, parts, random, world, known: vec![None; KEYS] }
    }

    /// One operation after the other.
    pub(crate) async fn run(mut self, operations: usize) {
        for _ in 0..operations {
            let pause = Duration::from_millis(self.random.below(3000));
            if self.random.below(3) > 0 {
                self.world.clock.sleep(pause).await;
            }
            let op = self.choose();
            self.perform(op).await;
        }
    }

    fn choose(&self) -> Op {
        let mut drawn = self.random.below(OPS.iter().map(|(_, weight)| weight).sum());
        for (op, weight) in OPS {
            if drawn < weight {
                return op;
            }
            drawn -= weight;
        }
        Op::Put
    }

    async fn perform(&mut self, op: Op) {
        let (k, other) = self.two_keys();
        let from = self.world.history().tick();
        self.line(&format!("{from:>4} {op:?} k/{k}"));
        let told = match tokio::time::timeout(DEADLINE, self.do_it(op, k, other, from)).await {
            Ok(told) => told,
            Err(_) => {
                let wrong = format!("{op:?}, begun at {from}, does not end");
                self.world.history().wrong.push(wrong.clone());
                wrong
            }
        };
        self.line(&format!("{from:>4} {op:?} k/{k}: {told}"));
    }

    fn line(&self, text: &str) {
        let at = self.world.clock.monotonic();
        self.world.history().line(at, &format!("[{}] {text}", self.name));
    }

    fn two_keys(&self) -> (usize, usize) {
        let n = |bound: usize| usize::try_from(self.random.below(bound as u64)).unwrap();
        let first = n(KEYS);
        (first, (first + 1 + n(KEYS - 1)) % KEYS)
    }

    async fn do_it(&mut self, op: Op, k: usize, other: usize, from: u64) -> String {
        let known = self.known[k].clone();
        match (op, known) {
            (Op::Put, _) => self.put(k, When::Always, None, from).await,
            (Op::PutIfAbsent, _) => {
                self.put(k, When::Absent, Some(Precondition::IfAbsent), from).await
            }
            (Op::PutIfUnchanged, Some(revision)) => {
                let when = When::Is(self.world.history().tags.find(&revision).unwrap());
                self.put(k, when, Some(Precondition::IfUnchanged(revision)), from).await
            }
            (Op::DeleteIfMatch, Some(revision)) => self.delete(k, Some(revision), from).await,
            (Op::UploadSmall, _) => self.upload(k, PART / 2, When::Always, false, from).await,
            (Op::UploadParts, _) => self.upload(k, PART * 5 / 2, When::Always, false, from).await,
            (Op::UploadIfAbsent, _) => {
                self.upload(k, PART * 3 / 2, When::Absent, false, from).await
            }
            (Op::UploadAbort, _) => self.upload(k, PART * 5 / 2, When::Always, true, from).await,
            (Op::Copy, _) => self.copy(other, k, When::Always, from).await,
            (Op::CopyIfAbsent, _) => self.copy(other, k, When::Absent, from).await,
            (Op::Update, _) => self.update(k, from).await,
            (Op::UpdateTags, _) => self.update_tags(k).await,
            (Op::Delete, _) => self.delete(k, None, from).await,
            (Op::DeleteMany, _) => self.delete_many(k, other, from).await,
            (Op::GetRange, _) if !self.world.damage => self.get_range(k, from).await,
            (Op::Get | Op::GetRange, _) => self.get(k, from).await,
            (Op::Head | Op::PutIfUnchanged | Op::DeleteIfMatch, _) => self.head(k, from).await,
            (Op::ListVersions, _) if self.world.versioned => self.list(true, from).await,
            (Op::List | Op::ListVersions, _) => self.list(false, from).await,
        }
    }

    /// New content, and the options that mark it.
    fn fresh(&self, length: usize) -> (u64, Bytes, Attributes) {
        let mut history = self.world.history();
        let id = history.operation();
        let content = content(id, length);
        history.tags.add(&content);
        let mark = Attributes::new().with_metadata(OP, id.to_string()).unwrap();
        (id, content, mark)
    }

    async fn put(
        &mut self,
        k: usize,
        when: When,
        condition: Option<Precondition>,
        from: u64,
    ) -> String {
        let length = 16 + usize::try_from(self.random.below(1000)).unwrap();
        let (id, content, mark) = self.fresh(length);
        let mut options = PutOptions::default().with_attributes(mark);
        options.precondition = condition;
        let (tag, _) = self.world.history().tags.add(&content);
        let result = self.store.put(&fought(k), content.into(), &options).await;
        let action = Action::Write { held: Held { id, tag: Some(tag) }, when };
        self.changed(k, id, action, from, false, result)
    }

    async fn upload(
        &mut self,
        k: usize,
        length: usize,
        when: When,
        abort: bool,
        from: u64,
    ) -> String {
        let (id, content, mark) = self.fresh(length);
        let (plain, parted) = self.world.history().tags.add(&content);
        let tag = if length > PART { parted } else { plain };
        let mut put = PutOptions::default().with_attributes(mark);
        put.precondition = (when == When::Absent).then_some(Precondition::IfAbsent);
        let options = UploadOptions::default().with_put(put);
        let result = self.send(&fought(k), content, &options, abort).await;
        let action = Action::Write { held: Held { id, tag: Some(tag) }, when };
        self.changed(k, id, action, from, length > PART, result)
    }

    async fn send(
        &self,
        key: &Key,
        content: Bytes,
        options: &UploadOptions,
        abort: bool,
    ) -> Result<PutResult> {
        let mut upload = self.parts.upload(key, options).await?;
        for chunk in content.chunks(700) {
            upload.write(content.slice_ref(chunk)).await?;
        }
        if abort {
            upload.abort().await.map_err(|error| error.with_outcome(Outcome::NotApplied))?;
            return Err(ErrorKind::Cancelled.into())
                .map_err(|error: Error| error.with_outcome(Outcome::NotApplied));
        }
        upload.complete().await
    }

    async fn copy(&mut self, source: usize, k: usize, when: When, from: u64) -> String {
        let id = self.world.history().operation();
        let mark = Attributes::new().with_metadata(OP, id.to_string()).unwrap();
        let mut options = CopyOptions::default().with_attributes(mark);
        options.precondition = (when == When::Absent).then_some(Precondition::IfAbsent);
        let result = self.store.copy(&CopySource::new(fought(source)), &fought(k), &options).await;
        let mut tag = None;
        {
            let mut history = self.world.history();
            let to = history.tick();
            match &result {
                Ok(copy) => {
                    tag = history.tags.find(&copy.revision);
                    match tag {
                        Some(tag) => history.saw(source, Action::SawCopied(tag), from, to),
                        None => history.wrong.push(format!("nobody wrote what {id} copied")),
                    }
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    history.saw(source, Action::SawAbsent, from, to);
                }
                Err(_) => {}
            }
        }
        let action = Action::Write { held: Held { id, tag }, when };
        self.changed(k, id, action, from, false, result)
    }

    async fn update(&mut self, k: usize, from: u64) -> String {
        let id = self.world.history().operation();
        let mark = Attributes::new().with_metadata(OP, id.to_string()).unwrap();
        let update = ObjectUpdate::default().with_attributes(mark);
        let result = self.store.update(&fought(k), &update).await;
        match result {
            Ok(meta) => {
                let mut history = self.world.history();
                let to = history.tick();
                history.saw_object(k, &meta, from, to);
                drop(history);
                let result = Ok(PutResult::new(meta.revision, meta.size));
                self.changed(k, id, Action::Touch { id }, from, false, result)
            }
            Err(error) => {
                if error.kind() == ErrorKind::NotFound {
                    self.saw(k, Action::SawAbsent, from);
                }
                self.changed(k, id, Action::Touch { id }, from, false, Err(error))
            }
        }
    }

    async fn update_tags(&self, k: usize) -> String {
        let update = ObjectUpdate::default().with_tags(ObjectTags::new().with("a", "b").unwrap());
        match self.store.update(&fought(k), &update).await {
            Ok(_) => "done".into(),
            Err(error) => tell(&error),
        }
    }

    async fn delete(&mut self, k: usize, revision: Option<Revision>, from: u64) -> String {
        let mut options = DeleteOptions::default();
        let mut when = When::Always;
        if let Some(revision) = revision {
            when = When::Is(self.world.history().tags.find(&revision).unwrap());
            options.precondition = Some(Precondition::IfUnchanged(revision));
        }
        let result = self.store.delete(&fought(k), &options).await;
        let result = result.map(|_| PutResult::new(Revision::default(), 0));
        self.changed(k, 0, Action::Delete { when }, from, false, result)
    }

    async fn delete_many(&mut self, k: usize, other: usize, from: u64) -> String {
        let items = [fought(k), key("none"), fought(other)];
        let outcomes = self.store.delete_many(items.map(DeleteItem::from).into()).await;
        let mut told = Vec::new();
        for (outcome, k) in outcomes.into_iter().zip([Some(k), None, Some(other)]) {
            let result = outcome.result.map(|_| PutResult::new(Revision::default(), 0));
            let Some(k) = k else { continue };
            let action = Action::Delete { when: When::Always };
            told.push(self.changed(k, 0, action, from, false, result));
        }
        told.join(", ")
    }

    /// Takes note of how a change ended.
    fn changed(
        &mut self,
        k: usize,
        id: u64,
        action: Action,
        from: u64,
        parted: bool,
        result: Result<PutResult>,
    ) -> String {
        let mut history = self.world.history();
        let to = history.tick();
        let (end, leaked, told) = match &result {
            Ok(put) => {
                if let Action::Write { held: Held { tag: Some(tag), .. }, .. } = action
                    && history.tags.find(&put.revision) != Some(tag)
                {
                    history.wrong.push(format!("{id} wrote something else: {put:?}"));
                }
                (End::Done, Vec::new(), format!("done as {id}"))
            }
            Err(error) => {
                refused(&mut history, k, action, from, to, error);
                (End::of(error), error.leaked().to_vec(), format!("as {id}, {}", tell(error)))
            }
        };
        history.changes.push(Change { key: k, id, action, from, to, end, leaked, parted });
        drop(history);
        if let (Ok(put), Action::Write { .. } | Action::Touch { .. }) = (result, action) {
            self.known[k] = Some(put.revision);
        }
        told
    }

    fn saw(&self, k: usize, action: Action, from: u64) {
        let mut history = self.world.history();
        let to = history.tick();
        history.saw(k, action, from, to);
    }

    /// Takes note of a read that failed.
    fn not_read(&self, k: usize, from: u64, error: &Error) -> String {
        if error.kind() == ErrorKind::NotFound {
            self.saw(k, Action::SawAbsent, from);
        }
        if error.outcome() != Outcome::NotApplied {
            self.world.history().wrong.push(format!("a read that may have changed it: {error:?}"));
        }
        tell(error)
    }

    async fn head(&mut self, k: usize, from: u64) -> String {
        match self.store.head(&fought(k), &HeadOptions::default()).await {
            Ok(meta) => {
                let mut history = self.world.history();
                let to = history.tick();
                history.saw_object(k, &meta, from, to);
                drop(history);
                self.known[k] = Some(meta.revision.clone());
                format!("{:?}", meta.revision.etag)
            }
            Err(error) => self.not_read(k, from, &error),
        }
    }

    async fn get(&mut self, k: usize, from: u64) -> String {
        self.read(k, GetOptions::default(), from).await
    }

    async fn get_range(&mut self, k: usize, from: u64) -> String {
        let start = self.random.below(1500);
        let range = match self.random.below(3) {
            0 => Range::bounded(start, start + self.random.below(1000)).unwrap(),
            1 => Range::from(start..),
            _ => Range::suffix(start + 1),
        };
        self.read(k, GetOptions::default().with_range(range), from).await
    }

    async fn read(&mut self, k: usize, options: GetOptions, from: u64) -> String {
        let get = match self.store.get(&fought(k), &options).await {
            Ok(get) => get,
            Err(error) => {
                if error.kind() == ErrorKind::RangeNotSatisfiable {
                    self.saw(k, Action::SawPresent, from);
                }
                return self.not_read(k, from, &error);
            }
        };
        let (meta, range) = (get.meta.clone(), get.range.clone());
        {
            let mut history = self.world.history();
            let to = history.tick();
            history.saw_object(k, &meta, from, to);
        }
        self.known[k] = Some(meta.revision.clone());
        if self.random.below(4) == 0 {
            // A slow reader.
            self.world.clock.sleep(Duration::from_secs(self.random.below(100))).await;
        }
        match get.bytes().await {
            Ok(bytes) => {
                self.compare(&meta.revision, range.clone(), &bytes);
                format!("{range:?} of {:?}", meta.revision.etag)
            }
            Err(error) => {
                if error.outcome() != Outcome::NotApplied {
                    let wrong = format!("a read that may have changed it: {error:?}");
                    self.world.history().wrong.push(wrong);
                }
                tell(&error)
            }
        }
    }

    fn compare(&self, revision: &Revision, range: Bounds<u64>, bytes: &Bytes) {
        let mut history = self.world.history();
        let Some(tag) = history.tags.find(revision) else { return };
        let whole = history.tags.content(tag).clone();
        let bounds = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        if whole.get(bounds) != Some(bytes) {
            history.wrong.push(format!("{range:?} of {revision:?} is not {bytes:?}"));
        }
    }

    async fn list(&mut self, versions: bool, from: u64) -> String {
        let size = 1 + u32::try_from(self.random.below(4)).unwrap();
        let options = ListOptions::default().with_page_size(size).with_versions(versions);
        let listed: Result<Vec<ListEntry>> = self.store.list_with(options).try_collect().await;
        let entries = match listed {
            Ok(entries) => entries,
            Err(error) => {
                return self.not_read(0, from, &error.with_outcome(Outcome::NotApplied));
            }
        };
        let mut history = self.world.history();
        let to = history.tick();
        check_list(&mut history, &entries, versions, from, to);
        format!("{} entries", entries.len())
    }
}

/// A listing has every object once and in order, and those that are there all the time for sure.
pub(crate) fn check_list(
    history: &mut History,
    entries: &[ListEntry],
    versions: bool,
    from: u64,
    to: u64,
) {
    let names: Vec<_> = entries.iter().map(ListEntry::name).collect();
    if !names.is_sorted_by(|a, b| if versions { a <= b } else { a < b }) {
        history.wrong.push(format!("a listing out of order: {names:?}"));
    }
    for n in 0..FIXED {
        if !names.contains(&fixed(n).as_str()) {
            history.wrong.push(format!("the listing lacks {}: {names:?}", fixed(n)));
        }
    }
    if versions {
        return;
    }
    for k in 0..KEYS {
        let found = entries.iter().find(|entry| entry.name() == fought(k).as_str());
        match found {
            Some(ListEntry::Object(meta)) => history.saw_object(k, meta, from, to),
            Some(other) => history.wrong.push(format!("listed as {other:?}")),
            None => history.saw(k, Action::SawAbsent, from, to),
        }
    }
}

/// What a refusal tells of the key, if it is one that the operation can get.
fn refused(history: &mut History, k: usize, action: Action, from: u64, to: u64, error: &Error) {
    let when = match action {
        Action::Write { when, .. } | Action::Delete { when } => when,
        _ => When::Always,
    };
    let saw = match (error.kind(), when) {
        (ErrorKind::AlreadyExists, When::Absent) => Action::SawPresent,
        (ErrorKind::PreconditionFailed, When::Is(tag)) => Action::SawOther(tag),
        (ErrorKind::AlreadyExists | ErrorKind::PreconditionFailed, _) => {
            return history.wrong.push(format!("refused without a reason: {action:?}: {error:?}"));
        }
        _ => return,
    };
    if error.outcome() != Outcome::NotApplied {
        history.wrong.push(format!("refused and perhaps applied: {error:?}"));
    }
    history.saw(k, saw, from, to);
}

fn tell(error: &Error) -> String {
    format!("{:?} ({:?}): {error}", error.kind(), error.outcome())
}
