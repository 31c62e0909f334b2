use bytes::Bytes;
use polycloud_core::checksum::ChecksumSet;
use polycloud_core::object::{
    Body, ChecksumRequest, DeleteMarker, ListEntry, ObjectMeta, Payload, VersionId,
};
use polycloud_core::{Error, ErrorKind, Result};

/// Larger content is not hashed on the caller's task, which others may be waiting for.
const HASHED_AT_ONCE: u64 = 1 << 20;

/// The content of an object: the chunks that the caller gave, never copied.
#[derive(Debug, Clone)]
pub(super) enum Content {
    One(Bytes),
    Rope(std::sync::Arc<[Bytes]>),
}

impl Content {
    /// Takes the payload over, reading it first if it is not in memory yet.
    pub(super) async fn take(payload: &Payload) -> Result<Self> {
        Ok(match payload.chunks() {
            Some([bytes]) => Self::One(bytes.clone()),
            Some(chunks) => Self::Rope(chunks.into()),
            None => Self::One(payload.bytes().await?),
        })
    }

    pub(super) fn from_chunks(mut chunks: Vec<Bytes>) -> Self {
        match (chunks.len(), chunks.pop()) {
            (1, Some(bytes)) => Self::One(bytes),
            (_, None) => Self::One(Bytes::new()),
            (_, Some(last)) => {
                chunks.push(last);
                Self::Rope(chunks.into())
            }
        }
    }

    pub(super) fn chunks(&self) -> &[Bytes] {
        match self {
            Self::One(bytes) => std::slice::from_ref(bytes),
            Self::Rope(chunks) => chunks,
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.chunks().iter().map(|chunk| chunk.len() as u64).sum()
    }

    /// A part of the content. The range lies within it.
    pub(super) fn slice(&self, range: &std::ops::Range<u64>) -> Vec<Bytes> {
        let (mut at, mut slices) = (0, Vec::new());
        for chunk in self.chunks() {
            let len = chunk.len() as u64;
            let clip = |position: u64| {
                usize::try_from(position.clamp(at, at + len) - at).unwrap_or(chunk.len())
            };
            let (start, end) = (clip(range.start), clip(range.end));
            if start < end {
                slices.push(chunk.slice(start..end));
            }
            at += len;
        }
        slices
    }

    pub(super) fn body(&self, range: &std::ops::Range<u64>) -> Body {
        match self {
            Self::One(bytes) if *range == (0..bytes.len() as u64) => Body::from(bytes.clone()),
            _ => Body::from_chunks(self.slice(range)),
        }
    }

    /// The checksums to store, verified where the caller stated one.
    pub(super) async fn checksums(&self, request: ChecksumRequest) -> Result<ChecksumSet> {
        let Some(algorithm) = request.algorithm() else { return Ok(ChecksumSet::new()) };
        let compute = move |content: Self| {
            let mut hasher = algorithm.hasher();
            content.chunks().iter().for_each(|chunk| hasher.update(chunk));
            hasher.finish()
        };
        let content = self.clone();
        let actual = if self.len() < HASHED_AT_ONCE {
            compute(content)
        } else {
            let task = tokio::task::spawn_blocking(move || compute(content));
            task.await.map_err(|error| Error::new(ErrorKind::Internal).with_source(error))?
        };
        if let ChecksumRequest::Expect(expected) = request {
            expected.verify(&actual)?;
        }
        Ok(ChecksumSet::from_iter([actual]))
    }
}

/// An object, or one version of it.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) meta: ObjectMeta,
    pub(super) content: Content,
}

/// What a key holds, or held.
#[derive(Debug, Clone)]
pub(super) enum Version {
    Object(Object),
    Marker(DeleteMarker),
}

impl Version {
    pub(super) fn id(&self) -> Option<&VersionId> {
        match self {
            Self::Object(object) => object.meta.revision.version.as_ref(),
            Self::Marker(marker) => Some(&marker.version),
        }
    }

    pub(super) fn entry(&self, is_latest: bool) -> ListEntry {
        match self {
            Self::Object(object) => {
                let mut meta = object.meta.clone();
                meta.is_latest = Some(is_latest);
                ListEntry::Object(meta)
            }
            Self::Marker(marker) => {
                let mut marker = marker.clone();
                marker.is_latest = is_latest;
                ListEntry::DeleteMarker(marker)
            }
        }
    }
}

/// The versions of a key. On a bucket without versioning there is only the newest.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// What the key holds now, unless it was removed for good.
    pub(super) newest: Option<Version>,
    /// What it held before, newest first.
    pub(super) older: Vec<Version>,
    /// Whether the index does not know this slot any more.
    pub(super) forgotten: bool,
}

impl Slot {
    /// The object that reads see.
    pub(super) fn current(&self) -> Option<&Object> {
        match &self.newest {
            Some(Version::Object(object)) => Some(object),
            Some(Version::Marker(_)) | None => None,
        }
    }

    pub(super) fn current_mut(&mut self) -> Option<&mut Object> {
        match &mut self.newest {
            Some(Version::Object(object)) => Some(object),
            Some(Version::Marker(_)) | None => None,
        }
    }

    /// All versions, newest first.
    pub(super) fn versions(&self) -> impl Iterator<Item = &Version> {
        self.newest.iter().chain(&self.older)
    }

    pub(super) fn find(&self, id: &VersionId) -> Option<&Version> {
        self.versions().find(|version| version.id() == Some(id))
    }

    /// Puts a version on top. The one before it is kept if the bucket keeps versions, or returned.
    pub(super) fn push(&mut self, version: Version, keep: bool) -> Option<Version> {
        // What has no id cannot be told apart: there is at most one of it.
        if version.id().is_none() {
            self.older.retain(|older| older.id().is_some());
        }
        let before = self.newest.replace(version)?;
        // What was written while versioning was on stays when it is switched off.
        if !keep && before.id().is_none() {
            return Some(before);
        }
        self.older.insert(0, before);
        None
    }

    /// Removes a version for good and returns it. What is newest then is current again.
    pub(super) fn remove(&mut self, id: &VersionId) -> Option<Version> {
        if self.newest.as_ref().and_then(Version::id) == Some(id) {
            let next = if self.older.is_empty() { None } else { Some(self.older.remove(0)) };
            return std::mem::replace(&mut self.newest, next);
        }
        let at = self.older.iter().position(|version| version.id() == Some(id))?;
        Some(self.older.remove(at))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.newest.is_none() && self.older.is_empty()
    }
}
