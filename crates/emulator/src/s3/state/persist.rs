//! Saving to a directory and loading from it.
//!
//! Contents lie in `contents/`, each named by its SHA-256, buckets in `buckets/`, each file named by the
//! bucket, its number and its revision; `state.json` names the files that count. A save writes what is
//! missing, then replaces `state.json`, then removes what is no longer named.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Error, ErrorKind};
use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::S3State;
use super::bucket::Bucket;
use super::ids::Ids;
use super::object::Content;

const STATE: &str = "state.json";
const BUCKETS: &str = "buckets";
const CONTENTS: &str = "contents";

#[derive(Serialize, Deserialize)]
struct Index {
    ids: Ids,
    /// The file of each bucket.
    buckets: BTreeMap<String, String>,
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.digest())
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::stored)
    }
}

/// A map whose keys are no texts, as a list of pairs.
pub(crate) mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<K, V, S>(map: &BTreeMap<K, V>, serializer: S) -> Result<S::Ok, S::Error>
    where
        K: Serialize,
        V: Serialize,
        S: Serializer,
    {
        serializer.collect_seq(map)
    }

    pub(crate) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}

impl S3State {
    /// Reads what `save` wrote; nothing there is an empty state.
    pub(crate) fn load(dir: &Path) -> io::Result<Self> {
        let index = match fs::read(dir.join(STATE)) {
            Ok(text) => serde_json::from_slice::<Index>(&text)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let mut state = Self { ids: index.ids, ..Self::default() };
        let mut read = BTreeMap::new();
        for (name, file) in index.buckets {
            let text = fs::read(dir.join(BUCKETS).join(file))?;
            let mut bucket = serde_json::from_slice::<Bucket>(&text)?;
            for content in contents_mut(&mut bucket) {
                fill(content, &dir.join(CONTENTS), &mut read)?;
            }
            state.buckets.insert(name, bucket);
        }
        Ok(state)
    }

    /// Writes what changed since the last save into this directory.
    pub(crate) fn save(&self, dir: &Path) -> io::Result<()> {
        let (buckets_dir, contents_dir) = (dir.join(BUCKETS), dir.join(CONTENTS));
        fs::create_dir_all(&buckets_dir)?;
        fs::create_dir_all(&contents_dir)?;
        let (old_buckets, old_contents) = (names(&buckets_dir)?, names(&contents_dir)?);

        let mut index = Index { ids: self.ids.clone(), buckets: BTreeMap::new() };
        let mut contents = BTreeSet::new();
        for (name, bucket) in &self.buckets {
            for content in contents_of(bucket) {
                let digest = content.digest();
                let known = OsString::from(digest);
                if contents.insert(known.clone()) && !old_contents.contains(&known) {
                    write(&contents_dir.join(digest), &content.bytes)?;
                }
            }
            let file = format!("{name}.{}.{}.json", bucket.number, bucket.revision);
            if !old_buckets.contains(&OsString::from(&file)) {
                write(&buckets_dir.join(&file), &serde_json::to_vec(bucket)?)?;
            }
            index.buckets.insert(name.clone(), file);
        }
        write(&dir.join(STATE), &serde_json::to_vec(&index)?)?;

        let files = index.buckets.into_values().map(OsString::from).collect();
        remove(&buckets_dir, &old_buckets, &files)?;
        remove(&contents_dir, &old_contents, &contents)
    }
}

/// Replaces a file as a whole.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    fs::write(&unfinished, bytes)?;
    fs::rename(&unfinished, path)
}

fn names(dir: &Path) -> io::Result<BTreeSet<OsString>> {
    fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
}

fn remove(dir: &Path, old: &BTreeSet<OsString>, kept: &BTreeSet<OsString>) -> io::Result<()> {
    for name in old.difference(kept) {
        fs::remove_file(dir.join(name))?;
    }
    Ok(())
}

/// Reads the bytes of a content once, however many objects share it.
fn fill(content: &mut Content, dir: &Path, read: &mut BTreeMap<String, Content>) -> io::Result<()> {
    let digest = content.digest().to_owned();
    if let Some(known) = read.get(&digest) {
        *content = known.clone();
        return Ok(());
    }
    // The name becomes a path: it may be nothing but a digest.
    if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Error::new(ErrorKind::InvalidData, "the name of a content is no digest"));
    }
    let found = Content::new(Bytes::from(fs::read(dir.join(&digest))?));
    if found.digest() != digest {
        let message = format!("the content {digest} is damaged");
        return Err(Error::new(ErrorKind::InvalidData, message));
    }
    *content = found.clone();
    read.insert(digest, found);
    Ok(())
}

fn contents_of(bucket: &Bucket) -> impl Iterator<Item = &Content> {
    let objects = bucket.keys.values().flatten().filter_map(|version| version.object.as_ref());
    let parts = bucket.uploads.values().flat_map(|upload| upload.parts.values());
    objects.map(|object| &object.content).chain(parts.map(|part| &part.content))
}

fn contents_mut(bucket: &mut Bucket) -> impl Iterator<Item = &mut Content> {
    let objects = bucket.keys.values_mut().flatten().filter_map(|version| version.object.as_mut());
    let parts = bucket.uploads.values_mut().flat_map(|upload| upload.parts.values_mut());
    objects.map(|object| &mut object.content).chain(parts.map(|part| &mut part.content))
}
