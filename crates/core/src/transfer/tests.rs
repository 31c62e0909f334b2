use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Mutex;

use bytes::Bytes;
use futures::stream;

use super::*;
use crate::capability::Feature;
use crate::checksum::ChecksumAlgorithm;
use crate::error::{Error, ErrorKind, Outcome};
use crate::object::{
    Attributes, ChecksumRequest, Key, ObjectStore, ObjectStoreExt, Payload, Precondition, Tags,
};
use crate::testing::FakeStore;

const PART: u64 = 10_000;

fn options() -> TransferOptions {
    TransferOptions::default().with_part_size(PART).with_concurrency(3)
}

fn key() -> Key {
    Key::new("k").unwrap()
}

fn content(len: u64) -> Vec<u8> {
    (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

/// A directory with files, and what is expected to be in it.
struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// Options that note their progress.
fn noting() -> (TransferOptions, Arc<Mutex<Vec<Progress>>>) {
    let noted = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&noted);
    (options().with_progress(move |progress| sink.lock().unwrap().push(progress)), noted)
}

fn assert_progress(noted: &Mutex<Vec<Progress>>, total: u64, known: bool) {
    let noted = noted.lock().unwrap();
    assert!(noted.is_sorted_by_key(|progress| progress.done), "{noted:?}");
    assert_eq!((noted[0].done, noted.last().unwrap().done), (0, total));
    assert!(noted.iter().all(|progress| progress.total == known.then_some(total)));
}

fn append(path: &Path) {
    fs::OpenOptions::new().append(true).open(path).unwrap().write_all(b"more").unwrap();
}

mod sources {
    use super::*;

    #[tokio::test]
    async fn a_file_can_be_read_again_and_in_parts() {
        let (dir, text) = (Dir::new(), content(3 << 20));
        let source = FileSource::open(dir.file("f", &text)).await.unwrap();
        let part = source.slice(5..(2 << 20) + 7).unwrap().slice(1..1 << 20).unwrap();
        for _ in 0..2 {
            let whole = Payload::from_source(source.clone());
            assert_eq!((whole.len(), whole.bytes().await.unwrap()), (3 << 20, text.clone().into()));
            let part = Payload::from_source(part.clone()).bytes().await.unwrap();
            assert_eq!(part, text[6..5 + (1 << 20)]);
        }
        assert!(source.slice(0..(3 << 20) + 1).is_err());
        let empty = FileSource::open(dir.file("e", "")).await.unwrap();
        assert!(Payload::from_source(empty).bytes().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_file_that_is_replaced_is_read_as_it_was() {
        let dir = Dir::new();
        let source = FileSource::open(dir.file("f", "old")).await.unwrap();
        fs::rename(dir.file("g", "new and longer"), dir.path("f")).unwrap();
        assert_eq!(Payload::from_source(source).bytes().await.unwrap(), "old");
    }

    #[tokio::test]
    async fn what_is_not_a_file_is_refused() {
        let dir = Dir::new();
        for path in [dir.path("missing"), dir.path(""), dir.path("\0")] {
            let error = FileSource::open(&path).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SourceFailed, "{path:?}");
        }
    }
}

mod uploads {
    use super::*;

    #[tokio::test]
    async fn files_of_all_sizes_arrive() {
        for len in [0, 1, PART - 1, PART, PART + 1, 10 * PART + 3] {
            let (dir, store) = (Dir::new(), FakeStore::new());
            let (options, noted) = noting();
            let put =
                store.upload_file(dir.file("f", content(len)), &key(), &options).await.unwrap();
            assert_eq!((put.size, store.read("k").unwrap()), (len, content(len).into()));
            assert_progress(&noted, len, true);
            let single = len <= PART;
            assert_eq!(
                (store.seen("put").len(), store.seen("upload").len()),
                match single {
                    true => (1, 0),
                    false => (0, 1),
                }
            );
        }
    }

    #[tokio::test]
    async fn put_options_count() {
        let (dir, store) = (Dir::new(), FakeStore::new());
        let attributes = Attributes::new().with_content_type("text/plain").unwrap();
        let mut put = PutOptions::default().with_attributes(attributes.clone());
        put.precondition = Some(Precondition::IfAbsent);
        for len in [PART, 2 * PART] {
            let (file, options) = (dir.file("f", content(len)), options().with_put(put.clone()));
            store.upload_file(&file, &key(), &options).await.unwrap();
            assert_eq!(store.meta("k").attributes, Some(attributes.clone()));
            let error = store.upload_file(&file, &key(), &options).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AlreadyExists);
            store.remove("k");
        }
        assert_eq!(store.open_uploads(), 0);
    }

    #[tokio::test]
    async fn a_file_that_changes_meanwhile_becomes_no_object() {
        let changes: [fn(&Path); 3] = [
            append,
            |path| fs::OpenOptions::new().write(true).open(path).unwrap().set_len(10).unwrap(),
            |path| {
                let file = fs::OpenOptions::new().write(true).open(path).unwrap();
                file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
            },
        ];
        for change in changes {
            for (len, operation) in [(PART, "put"), (200 * PART, "create_multipart")] {
                let (dir, store) = (Dir::new(), FakeStore::new());
                let file = dir.file("f", content(len));
                let path = file.clone();
                store.before(move |_, seen| {
                    if seen.operation == operation {
                        change(&path);
                    }
                    Ok(())
                });
                let error = store.upload_file(&file, &key(), &options()).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::SourceFailed);
                assert_eq!(error.outcome(), Outcome::NotApplied);
                assert_eq!((store.read("k"), store.open_uploads()), (None, 0));
            }
        }
    }

    #[tokio::test]
    async fn streams_of_all_sizes_arrive() {
        for len in [0, 1, PART, PART + 1, 5 * PART] {
            let store = FakeStore::new();
            let (options, noted) = noting();
            let chunks: Vec<_> = content(len)
                .chunks(777)
                .map(|chunk| Ok::<_, Error>(Bytes::copy_from_slice(chunk)))
                .collect();
            let put = store.upload_stream(&key(), stream::iter(chunks), &options).await.unwrap();
            assert_eq!((put.size, store.read("k").unwrap()), (len, content(len).into()));
            assert_progress(&noted, len, false);
        }
    }

    #[tokio::test]
    async fn a_stream_that_fails_becomes_no_object() {
        let store = FakeStore::new();
        let fails =
            |error: BoxError| stream::iter([Ok(Bytes::from(content(5 * PART))), Err(error)]);
        let io = fails(std::io::Error::other("gone").into());
        let error = store.upload_stream(&key(), io, &options()).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::SourceFailed, Outcome::NotApplied));
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "gone");

        let own = fails(Error::new(ErrorKind::Timeout).into());
        let error = store.upload_stream(&key(), own, &options()).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::NotApplied));
        assert_eq!((store.read("k"), store.open_uploads()), (None, 0));

        store.fail("abort_multipart", ErrorKind::Unavailable);
        let own = fails(Error::new(ErrorKind::Timeout).into());
        let error = store.upload_stream(&key(), own, &options()).await.unwrap_err();
        assert_eq!((error.kind(), error.leaked().len()), (ErrorKind::Timeout, 1));
    }

    #[tokio::test]
    async fn a_stream_is_asked_only_when_there_is_room() {
        let (store, asked) = (FakeStore::new(), Arc::new(Mutex::new(0_u64)));
        let gate = store.gate("put_part");
        let count = Arc::clone(&asked);
        let chunks = stream::iter((0..100).map(move |_| {
            *count.lock().unwrap() += 1;
            Ok::<_, Error>(Bytes::from(content(PART / 2)))
        }));
        let key = key();
        let how = options();
        let mut upload = pin!(store.upload_stream(&key, chunks, &how));
        for _ in 0..100 {
            assert!(futures::poll!(&mut upload).is_pending());
            tokio::task::yield_now().await;
        }
        let held = *asked.lock().unwrap() * PART / 2;
        assert!((3 * PART..=4 * PART).contains(&held), "{held}");
        gate.add_permits(1_000);
        assert_eq!(upload.await.unwrap().size, 50 * PART);
    }
}

mod downloads {
    use super::*;

    #[tokio::test]
    async fn objects_of_all_sizes_arrive() {
        for durable in [true, false] {
            for len in [0, 1, PART - 1, PART, PART + 1, 7 * PART + 3, 3 << 20] {
                let (dir, store) = (Dir::new(), FakeStore::new());
                let expected = store.write("k", content(len));
                let (options, noted) = noting();
                let options = options.with_durable(durable);
                let path = dir.file("f", "old");
                let meta = store.download_file(&key(), &path, &options).await.unwrap();
                assert_eq!(meta, expected);
                assert_eq!(fs::read(&path).unwrap(), content(len));
                assert_eq!(dir.names(), ["f"]);
                assert_progress(&noted, len, true);
                assert_eq!(store.seen("get").len() as u64, len.div_ceil(PART).max(1));
                assert!(store.seen("get").iter().skip(1).all(|seen| seen.conditional));
            }
        }
    }

    #[tokio::test]
    async fn a_name_in_the_working_directory_is_a_path() {
        let store = FakeStore::new();
        let error = store.download_file(&key(), "..", &options()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        let temp = tempfile::NamedTempFile::new_in(".").unwrap();
        let name = PathBuf::from(temp.path().file_name().unwrap());
        store.write("k", "text");
        store.download_file(&key(), &name, &options()).await.unwrap();
        assert_eq!(fs::read(temp.path()).unwrap(), b"text");
    }

    #[tokio::test]
    async fn a_bad_destination_costs_no_request() {
        let (dir, store) = (Dir::new(), FakeStore::new());
        store.write("k", "text");
        for path in [dir.path("missing/f"), dir.path("..")] {
            let error = store.download_file(&key(), &path, &options()).await.unwrap_err();
            assert_eq!(error.outcome(), Outcome::NotApplied);
        }
        assert_eq!(store.seen("get").len(), 0);
        fs::create_dir(dir.path("d")).unwrap();
        let error = store.download_file(&key(), dir.path("d"), &options()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert_eq!(dir.names(), ["d"]);
    }

    /// Downloads over an old file, and checks that the failure left it and nothing else.
    async fn fails(store: &FakeStore) -> Error {
        let dir = Dir::new();
        let path = dir.file("f", "old");
        let error = store.download_file(&key(), &path, &options()).await.unwrap_err();
        assert_eq!(
            (fs::read(&path).unwrap(), dir.names()),
            (b"old".to_vec(), vec!["f".to_owned()])
        );
        error
    }

    #[tokio::test]
    async fn failures_leave_the_old_file() {
        let store = FakeStore::new();
        assert_eq!(fails(&store).await.kind(), ErrorKind::NotFound);
        for len in [PART, 9 * PART] {
            store.write("k", content(len));
            store.corrupt("k");
            assert_eq!(fails(&store).await.kind(), ErrorKind::ChecksumMismatch);
            store.write("k", content(len));
            store.shorten("k");
            store.forget_checksum("k");
            assert_eq!(fails(&store).await.kind(), ErrorKind::InvalidResponse);
        }
        store.write("k", content(9 * PART));
        let mut reads = 0;
        store.before(move |_, _| {
            reads += 1;
            if reads == 5 { Err(ErrorKind::Unavailable.into()) } else { Ok(()) }
        });
        let error = fails(&store).await;
        assert_eq!((error.kind(), error.target()), (ErrorKind::Unavailable, "k"));
    }

    #[tokio::test]
    async fn an_object_without_a_checksum_is_checked_by_its_size() {
        let (dir, store) = (Dir::new(), FakeStore::new());
        for len in [PART, 9 * PART] {
            store.write("k", content(len));
            store.forget_checksum("k");
            store.download_file(&key(), dir.path("f"), &options()).await.unwrap();
            assert_eq!(fs::read(dir.path("f")).unwrap(), content(len));
        }
    }

    #[tokio::test]
    async fn two_versions_are_never_mixed() {
        for features in [&[][..], &[Feature::ReadIfMatch][..]] {
            let store = FakeStore::new().without(features);
            store.write("k", content(9 * PART));
            let mut reads = 0;
            store.before(move |store, _| {
                reads += 1;
                if reads == 5 {
                    store.write("k", content(9 * PART));
                }
                Ok(())
            });
            assert_eq!(fails(&store).await.kind(), ErrorKind::ObjectChanged);
        }
    }

    #[tokio::test]
    async fn cancelling_leaves_the_old_file() {
        let (dir, store) = (Dir::new(), FakeStore::new());
        let path = dir.file("f", "old");
        store.write("k", content(9 * PART));
        let gate = store.gate("get");
        gate.add_permits(3);
        let (key, how) = (key(), options());
        {
            let mut download = pin!(store.download_file(&key, &path, &how));
            while store.waiting("get") < 3 {
                assert!(futures::poll!(&mut download).is_pending());
                tokio::task::yield_now().await;
            }
            assert_eq!(dir.names().len(), 2);
        }
        assert_eq!(
            (fs::read(&path).unwrap(), dir.names()),
            (b"old".to_vec(), vec!["f".to_owned()])
        );
        assert_eq!(store.waiting("get"), 0);
    }
}

mod copies {
    use super::*;

    async fn source(len: u64) -> FakeStore {
        let store = FakeStore::new();
        let attributes = Attributes::new().with_metadata("a", "b").unwrap();
        let tags = Tags::new().with("c", "d").unwrap();
        let put = PutOptions::default().with_attributes(attributes).with_tags(tags);
        store.put(&key(), content(len).into(), &put).await.unwrap();
        store
    }

    #[tokio::test]
    async fn everything_comes_along() {
        for len in [0, PART, 5 * PART] {
            let (from, to) = (source(len).await, FakeStore::new());
            let (options, noted) = noting();
            let put = from.copy_to(&key(), &to, &key(), &options).await.unwrap();
            let (source, copy) = (from.meta("k"), to.meta("k"));
            assert_eq!((put.size, to.read("k")), (len, from.read("k")));
            assert_eq!((source.attributes, source.tags), (copy.attributes, copy.tags));
            assert_progress(&noted, len, true);
        }
    }

    #[tokio::test]
    async fn options_win_over_the_source() {
        let (from, to) = (source(10).await, FakeStore::new());
        let tags = Tags::new().with("x", "y").unwrap();
        let attributes = Attributes::new().with_content_type("text/plain").unwrap();
        let put = PutOptions::default().with_tags(tags.clone()).with_attributes(attributes.clone());
        from.copy_to(&key(), &to, &key(), &options().with_put(put)).await.unwrap();
        let copy = to.meta("k");
        assert_eq!((copy.attributes, copy.tags), (Some(attributes), Some(tags)));
    }

    #[tokio::test]
    async fn nothing_is_lost_in_silence() {
        let from = source(10).await;
        for feature in [Feature::Tags, Feature::Metadata] {
            let to = FakeStore::new().without(&[feature]);
            let error = from.copy_to(&key(), &to, &key(), &options()).await.unwrap_err();
            assert_eq!((error.kind(), to.read("k")), (ErrorKind::Unsupported, None));
        }
        let plain = FakeStore::new().without(&[Feature::Tags]);
        plain.write("k", "text");
        plain.copy_to(&key(), &FakeStore::new(), &key(), &options()).await.unwrap();
    }

    #[tokio::test]
    async fn the_content_is_verified_on_arrival() {
        let to = FakeStore::new();
        let wrong = ChecksumRequest::Expect(ChecksumAlgorithm::Md5.of(b"other"));
        for len in [10, 5 * PART] {
            let from = source(len).await;
            let put = PutOptions::default().with_checksum(wrong);
            let error =
                from.copy_to(&key(), &to, &key(), &options().with_put(put)).await.unwrap_err();
            assert_eq!((error.kind(), to.read("k")), (ErrorKind::ChecksumMismatch, None));
            from.corrupt("k");
            let error = from.copy_to(&key(), &to, &key(), &options()).await.unwrap_err();
            assert_eq!((error.kind(), to.read("k")), (ErrorKind::ChecksumMismatch, None));
        }
        assert_eq!(to.open_uploads(), 0);
    }

    #[tokio::test]
    async fn content_that_breaks_off_becomes_no_object() {
        let to = FakeStore::new();
        for len in [10, 5 * PART] {
            let from = source(len).await;
            from.forget_checksum("k");
            from.shorten("k");
            let error = from.copy_to(&key(), &to, &key(), &options()).await.unwrap_err();
            assert_eq!((error.kind(), to.read("k")), (ErrorKind::SourceFailed, None));
            assert_eq!(error.outcome(), Outcome::NotApplied);
        }
        assert_eq!(to.open_uploads(), 0);
    }

    #[tokio::test]
    async fn tags_and_content_are_of_one_revision() {
        for features in [&[][..], &[Feature::ReadIfMatch][..]] {
            let (from, to) = (FakeStore::new().without(features), FakeStore::new());
            from.write("k", "old");
            from.before(|store, seen| {
                if seen.operation == "get" {
                    store.write("k", "new");
                }
                Ok(())
            });
            let error = from.copy_to(&key(), &to, &key(), &options()).await.unwrap_err();
            assert_eq!((error.kind(), to.read("k")), (ErrorKind::ObjectChanged, None));
        }
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;
