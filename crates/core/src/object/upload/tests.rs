use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::checksum::ChecksumAlgorithm;
use crate::object::{Precondition, PutOptions};
use crate::testing::FakeStore;

const PART: u64 = 1_000;

fn options() -> UploadOptions {
    UploadOptions::default().with_part_size(PART).with_concurrency(2_usize)
}

fn start(store: &FakeStore, options: UploadOptions) -> Box<PartedUpload> {
    Box::new(PartedUpload::new(store.shared(), Key::new("k").unwrap(), options).unwrap())
}

fn content(len: u64) -> Bytes {
    (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect::<Vec<_>>().into()
}

/// Lets tasks in the background get on until they have done what is waited for.
async fn until(done: impl Fn() -> bool) {
    while !done() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn content_arrives_whole_whatever_its_size_and_pieces() {
    for len in [0, 1, PART - 1, PART, PART + 1, 2 * PART, 7 * PART + 3] {
        for piece in [1, 17, 999, 1_000, 1_001, 10_000] {
            let store = FakeStore::new();
            let mut upload = start(&store, options());
            for chunk in content(len).chunks(piece) {
                upload.write(Bytes::copy_from_slice(chunk)).await.unwrap();
            }
            assert_eq!(store.read("k"), None, "visible too early");
            let put = upload.complete().await.unwrap();
            assert_eq!(put.size, len);
            assert_eq!(store.read("k").unwrap(), content(len), "{len} by {piece}");
            assert_eq!(store.open_uploads(), 0);
            let parts = if len <= PART { 0 } else { len.div_ceil(PART) };
            assert_eq!(store.seen("put_part").len() as u64, parts);
            assert_eq!(store.seen("put").len(), usize::from(parts == 0));
        }
    }
}

#[tokio::test]
async fn the_precondition_is_decided_at_the_end() {
    for len in [10, 5 * PART] {
        let store = FakeStore::new();
        let put = PutOptions::default().with_precondition(Precondition::IfAbsent);
        let mut upload = start(&store, options().with_put(put));
        upload.write(content(len)).await.unwrap();
        store.write("k", "first");
        let error = upload.complete().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.leaked().is_empty());
        assert_eq!(store.read("k").unwrap(), "first");
        assert_eq!(store.open_uploads(), 0);
    }
}

#[tokio::test]
async fn an_expected_checksum_is_compared_before_anything_is_visible() {
    for len in [10, 5 * PART] {
        for (expected, fine) in [(content(len), true), (content(len + 1), false)] {
            let store = FakeStore::new();
            let expected = ChecksumAlgorithm::Sha256.of(&expected);
            let put = PutOptions::default().with_checksum(ChecksumRequest::Expect(expected));
            let mut upload = start(&store, options().with_put(put));
            upload.write(content(len)).await.unwrap();
            let kind = upload.complete().await.err().map(|error| error.kind());
            assert_eq!(kind, (!fine).then_some(ErrorKind::ChecksumMismatch));
            assert_eq!(store.read("k").is_some(), fine);
            assert_eq!(store.open_uploads(), 0);
        }
    }
}

#[tokio::test]
async fn a_failing_part_ends_the_upload_and_removes_it() {
    let store = FakeStore::new();
    let mut parts = 0;
    store.before(move |_, seen| {
        parts += u32::from(seen.operation == "put_part");
        if seen.operation == "put_part" && parts == 3 {
            Err(ErrorKind::Timeout.into())
        } else {
            Ok(())
        }
    });
    let mut upload = start(&store, options());
    let mut failure = None;
    for _ in 0..10 {
        failure = upload.write(content(PART)).await.err();
        if failure.is_some() {
            break;
        }
    }
    let error = failure.unwrap();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::NotApplied));
    assert_eq!((error.operation(), error.target()), ("upload", "k"));
    assert_eq!(store.open_uploads(), 0);
    assert_eq!(upload.write(content(1)).await.unwrap_err().kind(), ErrorKind::InvalidState);
    assert_eq!(upload.complete().await.unwrap_err().kind(), ErrorKind::InvalidState);
    assert_eq!(store.read("k"), None);
}

#[tokio::test]
async fn what_cannot_be_removed_is_named() {
    let store = FakeStore::new();
    store.before(|_, seen| match seen.operation {
        "complete_multipart" => Err(ErrorKind::Unavailable.into()),
        "abort_multipart" => Err(ErrorKind::PermissionDenied.into()),
        _ => Ok(()),
    });
    for give_up in [false, true] {
        let mut upload = start(&store, options());
        upload.write(content(3 * PART)).await.unwrap();
        let error = match give_up {
            true => upload.abort().await.unwrap_err(),
            false => upload.complete().await.unwrap_err(),
        };
        let expected = if give_up { ErrorKind::PermissionDenied } else { ErrorKind::Unavailable };
        assert_eq!(error.kind(), expected);
        assert_eq!(error.outcome() == Outcome::Unknown, !give_up);
        let [leaked] = error.leaked() else { panic!("{error}") };
        assert_eq!(leaked.kind, "multipart upload");
        assert!(leaked.id.starts_with('u') && leaked.id.ends_with(" of k"), "{leaked}");
    }
}

#[tokio::test]
async fn abort_and_drop_remove_what_was_sent() {
    let store = FakeStore::new();
    let mut upload = start(&store, options());
    upload.write(content(3 * PART)).await.unwrap();
    assert_eq!(store.open_uploads(), 1);
    upload.abort().await.unwrap();
    assert_eq!(store.open_uploads(), 0);

    let mut upload = start(&store, options());
    upload.write(content(3 * PART)).await.unwrap();
    drop(upload);
    until(|| store.open_uploads() == 0).await;
    assert_eq!(store.read("k"), None);
}

#[tokio::test]
async fn dropping_while_the_upload_is_created_leaves_nothing() {
    let store = FakeStore::new();
    let gate = store.gate("create_multipart");
    let mut upload = start(&store, options());
    assert!(futures::poll!(upload.write(content(3 * PART))).is_pending());
    drop(upload);
    until(|| store.seen("create_multipart").len() == 1).await;
    gate.add_permits(1);
    until(|| store.seen("abort_multipart").len() == 1).await;
    assert_eq!(store.open_uploads(), 0);
}

#[tokio::test]
async fn a_cancelled_write_cannot_become_a_shorter_object() {
    let store = FakeStore::new();
    let gate = store.gate("put_part");
    let mut upload = start(&store, options());
    assert!(futures::poll!(upload.write(content(9 * PART))).is_pending());
    gate.add_permits(100);
    let error = upload.complete().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidState);
    assert_eq!((store.open_uploads(), store.read("k")), (0, None));
}

#[tokio::test]
async fn dropping_outside_a_runtime_is_harmless() {
    let store = FakeStore::new();
    let mut upload = start(&store, options());
    upload.write(content(3 * PART)).await.unwrap();
    std::thread::spawn(move || drop(upload)).join().unwrap();
    assert_eq!(store.open_uploads(), 1);
}

#[tokio::test]
async fn no_more_parts_than_allowed_are_under_way() {
    let store = FakeStore::new();
    let gate = store.gate("put_part");
    let mut upload = start(&store, options().with_concurrency(3_usize));
    let mut write = upload.write(content(10 * PART));
    for _ in 0..100 {
        assert!(futures::poll!(&mut write).is_pending());
        tokio::task::yield_now().await;
    }
    assert_eq!(store.seen("put_part").len(), 3);
    gate.add_permits(100);
    write.await.unwrap();
    upload.complete().await.unwrap();
    assert_eq!(store.read("k").unwrap(), content(10 * PART));
}

/// Bytes that know how many of them are alive.
struct Counted {
    bytes: Vec<u8>,
    alive: Arc<AtomicU64>,
}

impl Counted {
    fn chunk(alive: &Arc<AtomicU64>, len: usize) -> Bytes {
        alive.fetch_add(len as u64, Ordering::SeqCst);
        Bytes::from_owner(Self { bytes: vec![0; len], alive: Arc::clone(alive) })
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(self.bytes.len() as u64, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn memory_is_bounded_by_the_parts_that_are_allowed() {
    const PART: usize = 256 << 10;
    const CHUNK: usize = 32 << 10;
    let (store, alive) = (FakeStore::new(), Arc::new(AtomicU64::new(0)));
    let gate = store.gate("put_part");
    let mut upload = start(
        &store,
        UploadOptions::default().with_part_size(PART as u64).with_concurrency(3_usize),
    );
    let mut most = 0;
    for _ in 0..(40 * PART / CHUNK) {
        let mut write = upload.write(Counted::chunk(&alive, CHUNK));
        // A store that is slow: it takes a part only when nothing else gets on.
        while futures::poll!(&mut write).is_pending() {
            gate.add_permits(1);
            tokio::task::yield_now().await;
        }
        drop(write);
        most = most.max(alive.load(Ordering::SeqCst));
    }
    assert!(most <= 4 * PART as u64, "{most}");
    assert!(most >= 3 * PART as u64, "nothing ran side by side: {most}");
    gate.add_permits(100);
    upload.complete().await.unwrap();
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn parts_grow_and_fewer_of_them_are_under_way() {
    let mut capabilities = FakeStore::new().capabilities().clone();
    capabilities.limits.parts = 20;
    capabilities.limits.object_bytes = Some(100 * PART);
    let store = FakeStore::with_capabilities(capabilities);
    let gate = store.gate("put_part");
    let mut upload = start(&store, options());
    let sizes = upload.sizes;
    assert!((0..20).map(|n| sizes.of(n)).sum::<u64>() >= 100 * PART && sizes.of(19) > 2 * PART);
    let mut under_way = Vec::new();
    let mut write = upload.write(content(100 * PART));
    while futures::poll!(&mut write).is_pending() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let waiting = store.waiting("put_part");
        under_way.push(waiting);
        // A part is taken only when nothing else gets on.
        gate.add_permits(usize::from(waiting > 0));
    }
    drop(write);
    assert_eq!(under_way.iter().max(), Some(&2));
    assert_eq!(under_way[10..].iter().max(), Some(&1), "{under_way:?}");
    gate.add_permits(100);
    upload.complete().await.unwrap();
    assert_eq!(store.read("k").unwrap(), content(100 * PART));

    let mut upload = start(&store, options());
    let error = upload.write(content(100 * PART + 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn content_above_the_largest_put_is_sent_as_a_single_part() {
    let mut capabilities = FakeStore::new().capabilities().clone();
    capabilities.limits.put_bytes = Some(PART / 2);
    let store = FakeStore::with_capabilities(capabilities);
    let mut upload = start(&store, options());
    upload.write(content(PART - 1)).await.unwrap();
    upload.complete().await.unwrap();
    assert_eq!((store.seen("put").len(), store.seen("put_part").len()), (0, 1));
    assert_eq!(store.read("k").unwrap(), content(PART - 1));
}

#[tokio::test]
async fn a_store_without_multipart_is_refused_before_any_request() {
    let store = FakeStore::new().without(&[Feature::Multipart]);
    let error = PartedUpload::new(store.shared(), Key::new("k").unwrap(), options()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let store = FakeStore::new().without(&[Feature::WriteIfAbsent]);
    let put = PutOptions::default().with_precondition(Precondition::IfAbsent);
    let refused = PartedUpload::new(store.shared(), Key::new("k").unwrap(), put.into());
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unsupported);
}
