use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use polycloud_core::object::{
    DeleteMarker, Key, ListEntry, ObjectMeta, Part, PartNumber, PutOptions, UploadId, VersionId,
};

/// An object, or one version of it, with its content.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) meta: ObjectMeta,
    pub(crate) content: Bytes,
}

#[derive(Debug, Clone)]
pub(crate) enum Version {
    Object(Object),
    Marker(DeleteMarker),
}

impl Version {
    pub(crate) fn id(&self) -> Option<&VersionId> {
        match self {
            Self::Object(object) => object.meta.revision.version.as_ref(),
            Self::Marker(marker) => Some(&marker.version),
        }
    }

    pub(crate) fn entry(&self, is_latest: bool) -> ListEntry {
        match self.clone() {
            Self::Object(Object { mut meta, .. }) => {
                meta.is_latest = Some(is_latest);
                ListEntry::Object(meta)
            }
            Self::Marker(mut marker) => {
                marker.is_latest = is_latest;
                ListEntry::DeleteMarker(marker)
            }
        }
    }
}

/// An upload that is neither completed nor aborted.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) options: PutOptions,
    pub(crate) started: std::time::SystemTime,
    /// In the order in which they came.
    pub(crate) parts: Vec<(Part, Bytes)>,
}

impl Pending {
    pub(crate) fn find(&self, number: PartNumber) -> Option<&(Part, Bytes)> {
        self.parts.iter().find(|(part, _)| part.number == number)
    }
}

/// Everything in the bucket.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The versions of each key, the newest last. Without versioning there is only one.
    pub(crate) keys: BTreeMap<Key, Vec<Version>>,
    /// Pending uploads in the order of their starts.
    pub(crate) uploads: BTreeMap<(Key, UploadId), Pending>,
    /// What a store that forgets nothing has kept.
    pub(crate) undead: Vec<Object>,
    /// The keys that were deleted, in a store that lists them all the same.
    pub(crate) ghosts: BTreeMap<Key, ObjectMeta>,
    pub(crate) counter: u64,
}

impl State {
    pub(crate) fn number(&mut self) -> String {
        self.counter += 1;
        format!("{:012}", self.counter)
    }

    pub(crate) fn current(&self, key: &Key) -> Option<&Object> {
        match self.keys.get(key)?.last()? {
            Version::Object(object) => Some(object),
            Version::Marker(_) => None,
        }
    }

    pub(crate) fn current_mut(&mut self, key: &Key) -> Option<&mut Object> {
        match self.keys.get_mut(key)?.last_mut()? {
            Version::Object(object) => Some(object),
            Version::Marker(_) => None,
        }
    }
}

pub(crate) type Shared = Arc<std::sync::Mutex<State>>;
