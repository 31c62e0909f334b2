use std::borrow::Cow;

use crate::error::{Error, ErrorKind, Result};
use crate::object::{CopySource, Key, ListEntry, ListOptions, ListPage, ObjectMeta, UploadPage};

/// Translates between the keys of a bucket and those of a caller who sees only what is behind a
/// prefix. Costs nothing if the prefix is empty.
#[derive(Clone, Copy)]
pub(super) struct View<'a>(pub(super) &'a str);

impl View<'_> {
    /// The key in the bucket.
    pub(super) fn key<'k>(self, key: &'k Key) -> Result<Cow<'k, Key>> {
        if self.0.is_empty() {
            return Ok(Cow::Borrowed(key));
        }
        Key::new(format!("{}{}", self.0, key.as_str())).map(Cow::Owned)
    }

    /// The prefix of a listing in the bucket.
    pub(super) fn text(self, prefix: &str) -> Cow<'_, str> {
        if self.0.is_empty() { Cow::Borrowed(prefix) } else { format!("{}{prefix}", self.0).into() }
    }

    /// The listing in the bucket.
    pub(super) fn list(self, options: &ListOptions) -> Cow<'_, ListOptions> {
        if self.0.is_empty() {
            return Cow::Borrowed(options);
        }
        let mut options = options.clone();
        options.prefix.insert_str(0, self.0);
        if let Some(start_after) = &mut options.start_after {
            start_after.insert_str(0, self.0);
        }
        Cow::Owned(options)
    }

    /// The source in the bucket. A source in a bucket that is named is that bucket's own.
    pub(super) fn source(self, from: &CopySource) -> Result<Cow<'_, CopySource>> {
        if self.0.is_empty() || from.bucket.is_some() {
            return Ok(Cow::Borrowed(from));
        }
        let key = self.key(&from.key)?.into_owned();
        Ok(Cow::Owned(CopySource { key, ..from.clone() }))
    }

    /// The object as the caller sees it.
    pub(super) fn meta(self, mut meta: ObjectMeta) -> Result<ObjectMeta> {
        if !self.0.is_empty() {
            meta.key = Key::new(self.strip(&meta.key)?)?;
        }
        Ok(meta)
    }

    /// The page as the caller sees it.
    pub(super) fn page(self, page: ListPage) -> Result<ListPage> {
        if self.0.is_empty() {
            return Ok(page);
        }
        let entries = page.entries.into_iter().filter_map(|entry| self.entry(entry).transpose());
        Ok(ListPage { entries: entries.collect::<Result<_>>()?, next: page.next })
    }

    /// The uploads as the caller sees them.
    pub(super) fn uploads(self, mut page: UploadPage) -> Result<UploadPage> {
        if self.0.is_empty() {
            return Ok(page);
        }
        page.uploads.retain(|upload| upload.key.as_str() != self.0);
        for upload in &mut page.uploads {
            upload.key = Key::new(self.strip(&upload.key)?)?;
        }
        Ok(page)
    }

    /// The entry as the caller sees it: not at all, if it is the object called like the prefix, as
    /// consoles make them to show an empty folder.
    fn entry(self, mut entry: ListEntry) -> Result<Option<ListEntry>> {
        let name = self.strip(entry.name())?.to_owned();
        if name.is_empty() && !matches!(entry, ListEntry::Prefix(_)) {
            return Ok(None);
        }
        match &mut entry {
            ListEntry::Object(meta) => meta.key = Key::new(name)?,
            ListEntry::DeleteMarker(marker) => marker.key = Key::new(name)?,
            ListEntry::Prefix(prefix) => *prefix = name,
        }
        Ok(Some(entry))
    }

    fn strip(self, name: &str) -> Result<&str> {
        name.strip_prefix(self.0).ok_or_else(|| {
            Error::new(ErrorKind::InvalidResponse)
                .with_message(format!("{name:?} does not begin with {:?}", self.0))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{DeleteMarker, Revision, UploadId, UploadInfo, VersionId};
    use std::time::SystemTime;

    const VIEW: View<'_> = View("a/");
    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn key(name: &str) -> Key {
        Key::new(name).unwrap()
    }

    fn object(name: &str) -> ListEntry {
        ListEntry::Object(ObjectMeta::new(key(name), 0, NOW, Revision::default()))
    }

    fn marker(name: &str) -> ListEntry {
        ListEntry::DeleteMarker(DeleteMarker::new(key(name), VersionId::new("1"), NOW, true))
    }

    fn names(entries: Vec<ListEntry>) -> Result<Vec<String>> {
        let page = VIEW.page(ListPage::new(entries, None))?;
        Ok(page.entries.iter().map(|entry| entry.name().to_owned()).collect())
    }

    #[test]
    fn listings_are_moved_below_the_prefix_and_back() {
        let options = ListOptions::prefix("b").with_start_after("bc").with_delimiter("/");
        let inner = VIEW.list(&options);
        assert_eq!(inner.prefix, "a/b");
        assert_eq!(inner.start_after.as_deref(), Some("a/bc"));
        assert_eq!(inner.delimiter.as_deref(), Some("/"));
        let entries = vec![object("a/b"), marker("a/b/1"), ListEntry::Prefix("a/bd/".into())];
        assert_eq!(names(entries).unwrap(), ["b", "b/1", "bd/"]);
    }

    #[test]
    fn the_object_called_like_the_prefix_is_not_below_it() {
        assert_eq!(names(vec![object("a/"), marker("a/"), object("a//")]).unwrap(), ["/"]);
        let upload = |name| UploadInfo::new(key(name), UploadId::new("u"), NOW);
        let page = UploadPage::new(vec![upload("a/"), upload("a/x")], None);
        assert_eq!(VIEW.uploads(page).unwrap().uploads, [upload("x")]);
    }

    #[test]
    fn what_is_outside_of_the_prefix_is_an_error() {
        for outside in [object("b"), object("a"), marker("b/a/"), ListEntry::Prefix("b/".into())] {
            let error = names(vec![object("a/x"), outside]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidResponse);
        }
        let upload = UploadInfo::new(key("b"), UploadId::new("u"), NOW);
        assert!(VIEW.uploads(UploadPage::new(vec![upload], None)).is_err());
    }

    #[test]
    fn a_source_in_a_named_bucket_is_that_buckets_own() {
        let from = CopySource::new(key("x"));
        assert_eq!(VIEW.source(&from).unwrap().key, key("a/x"));
        let from = from.with_bucket(crate::object::BucketName::new("other").unwrap());
        assert_eq!(VIEW.source(&from).unwrap().key, key("x"));
    }
}
