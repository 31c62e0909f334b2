//! Servers that mean harm, or make no sense: the client ends with an error, in bounded memory.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use polycloud_aws::S3Store;
use polycloud_core::object::{
    CompleteOptions, CopyOptions, CopySource, DeleteItem, DeleteOptions, ETag, GetOptions,
    HeadOptions, ListEntry, ListOptions, ObjectStore as _, ObjectStoreExt as _, Part, PartNumber,
    Precondition, PutOptions, Range, UploadId,
};
use polycloud_core::{Error, ErrorKind, Outcome, Result};

use crate::lab::{DEADLINE, RuntimeClock, key, multipart, on_paused_time, store};
use crate::raw_server::{Answer, Attack, Server, always, answer, flood, ok};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Get,
    GetRange,
    Head,
    Put,
    PutIfAbsent,
    Delete,
    DeleteMany,
    List,
    ListVersions,
    Copy,
    Create,
    Parts,
    Uploads,
    Complete,
}

const CALLS: [Call; 14] = [
    Call::Get,
    Call::GetRange,
    Call::Head,
    Call::Put,
    Call::PutIfAbsent,
    Call::Delete,
    Call::DeleteMany,
    Call::List,
    Call::ListVersions,
    Call::Copy,
    Call::Create,
    Call::Parts,
    Call::Uploads,
    Call::Complete,
];

impl Call {
    /// Whether it needs to understand the body of the answer.
    fn parses(self) -> bool {
        matches!(
            self,
            Self::DeleteMany
                | Self::List
                | Self::ListVersions
                | Self::Copy
                | Self::Create
                | Self::Parts
                | Self::Uploads
                | Self::Complete
        )
    }

    async fn send(self, store: &S3Store) -> Result<()> {
        let (name, put) = (key("k"), PutOptions::default());
        let upload = UploadId::new("u");
        match self {
            Self::Get => drop(store.get(&name, &GetOptions::default()).await?.bytes().await?),
            Self::GetRange => {
                let options = GetOptions::default().with_range(Range::bounded(5, 9)?);
                drop(store.get(&name, &options).await?.bytes().await?);
            }
            Self::Head => drop(store.head(&name, &HeadOptions::default()).await?),
            Self::Put => drop(store.put(&name, "content".into(), &put).await?),
            Self::PutIfAbsent => {
                let put = put.with_precondition(Precondition::IfAbsent);
                drop(store.put(&name, "content".into(), &put).await?);
            }
            Self::Delete => drop(store.delete(&name, &DeleteOptions::default()).await?),
            Self::DeleteMany => {
                for outcome in store.delete_many(vec![DeleteItem::from(name)]).await {
                    drop(outcome.result?);
                }
            }
            Self::List | Self::ListVersions => {
                let versions = self == Self::ListVersions;
                let options = ListOptions::default().with_versions(versions);
                drop(store.list_with(options).try_collect::<Vec<ListEntry>>().await?);
            }
            Self::Copy => {
                let from = CopySource::new(key("source"));
                drop(store.copy(&from, &name, &CopyOptions::default()).await?);
            }
            Self::Create => drop(multipart(store).create(&name, &put).await?),
            Self::Parts => drop(multipart(store).parts(&name, &upload).await?),
            Self::Uploads => drop(multipart(store).uploads("", None).await?),
            Self::Complete => {
                let parts = [Part::new(PartNumber::new(1)?, ETag::new("e"), 7)];
                let complete = CompleteOptions::default();
                drop(multipart(store).complete(&name, &upload, &parts, &complete).await?);
            }
        }
        Ok(())
    }
}

/// What a call came to.
struct Seen {
    result: Result<()>,
    taken: u64,
    requests: u64,
}

async fn attacked(call: Call, attack: &Attack) -> Seen {
    let clock = Arc::new(RuntimeClock::new());
    let server = Server::new(attack, &clock);
    let store = store(server.clone(), clock, 1).await;
    let result = tokio::time::timeout(DEADLINE, call.send(&store)).await;
    let result = result.unwrap_or_else(|_| panic!("{call:?} does not end"));
    Seen { result, taken: server.taken(), requests: server.requests() }
}

/// An attack, whether it fails all calls or those that need the body, and what a client takes of it.
type Row = (&'static str, Attack, bool, u64);

fn heads() -> Vec<Row> {
    let line = format!("x-{}: {}\r\n", "n".repeat(20), "v".repeat(1000));
    let garbage: Vec<u8> = (0..4096_u32).map(|n| u8::try_from(n * n % 251).unwrap()).collect();
    let http = "HTTP/1.1 200 OK\r\n";
    vec![
        ("endless headers", always(flood(http, line)), true, 4 * MIB),
        ("an endless header", always(flood(format!("{http}x: "), "v".repeat(8192))), true, 4 * MIB),
        ("an endless status line", always(flood("HTTP/1.1 200 ", "O".repeat(8192))), true, 4 * MIB),
        ("garbage", always(flood("", garbage)), true, 4 * MIB),
        (
            "endless interim answers",
            always(flood("", "HTTP/1.1 100 Continue\r\n\r\n".repeat(40))),
            true,
            16 * MIB,
        ),
        ("an end without an answer", always(Answer::Close(Vec::new())), true, KIB),
        ("silence", always(Answer::Say(Vec::new())), true, KIB),
        (
            "a header byte from time to time",
            always(Answer::Flood {
                head: http.into(),
                unit: b"x".to_vec(),
                pause: Duration::from_secs(7),
                times: u64::MAX,
            }),
            true,
            64 * KIB,
        ),
        (
            "two lengths",
            always(Answer::Say(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef".to_vec())),
            true,
            4 * KIB,
        ),
        (
            "a negative length",
            always(Answer::Say(b"HTTP/1.1 200 OK\r\netag: \"e\"\r\nlast-modified: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-length: -1\r\n\r\n".to_vec())),
            true,
            4 * KIB,
        ),
        (
            "redirects",
            always(Answer::Say(answer(
                "307 Temporary Redirect",
                "location: http://127.0.0.1:9000/bucket/elsewhere\r\n",
                b"",
            ))),
            true,
            4 * KIB,
        ),
        ("another protocol", always(Answer::Say(b"SSH-2.0-OpenSSH_9.6\r\n\r\n".to_vec())), true, 4 * KIB),
    ]
}

/// Never at rest for so long that it shows.
fn drip(status: &str) -> Attack {
    always(Answer::Flood {
        head: format!("HTTP/1.1 {status}\r\ncontent-length: 1000000\r\n\r\n").into(),
        unit: b"<".to_vec(),
        pause: Duration::from_secs(15),
        times: u64::MAX,
    })
}

fn huge(length: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\netag: \"e\"\r\nlast-modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
         content-length: {length}\r\n\r\n"
    )
    .into_bytes()
}

fn bodies() -> Vec<Row> {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let error = |status: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 314572800\r\n\r\n");
    let much = "<a>0123456789</a>".repeat(480);
    vec![
        (
            "a length without content",
            always(Answer::Say(huge("18446744073709551615"))),
            false,
            4 * KIB,
        ),
        (
            "a length out of bounds",
            always(Answer::Say(huge("18446744073709551616"))),
            true,
            4 * KIB,
        ),
        ("a terabyte that ends", always(Answer::Close(huge("1099511627776"))), false, 4 * KIB),
        (
            "300 MB of denial",
            always(Answer::Flood {
                head: error("403 Forbidden").into(),
                unit: much.clone().into(),
                pause: Duration::ZERO,
                times: 40_000,
            }),
            true,
            // As for all errors, what was sent ahead of the end is on its way: twice the buffers.
            MIB,
        ),
        (
            "300 MB of trouble",
            always(Answer::Flood {
                head: error("500 Internal Server Error").into(),
                unit: much.clone().into(),
                pause: Duration::ZERO,
                times: 40_000,
            }),
            true,
            4 * MIB,
        ),
        (
            "an endless document",
            always(flood(chunked, format!("{:x}\r\n{much}\r\n", much.len()))),
            false,
            20 * MIB,
        ),
        (
            "an endless chunk extension",
            always(flood(format!("{chunked}5;"), "x".repeat(8192))),
            false,
            4 * MIB,
        ),
        (
            "endless trailers",
            always(flood(format!("{chunked}0\r\n"), format!("x: {}\r\n", "y".repeat(1000)))),
            false,
            4 * MIB,
        ),
        (
            "a chunk of all memory",
            always(Answer::Say(format!("{chunked}FFFFFFFFFFFFFFFF\r\n").into())),
            false,
            4 * KIB,
        ),
        ("a byte from time to time", drip("200 OK"), false, 4 * KIB),
        ("trouble from time to time", drip("500 Internal Server Error"), true, 4 * KIB),
        ("no content", always(ok("")), false, 4 * KIB),
    ]
}

fn documents() -> Vec<Row> {
    let mut laughs = String::from("<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY lol \"lol\">");
    for n in 1..10 {
        let inner = format!("&lol{};", n - 1).repeat(10).replace("lol0", "lol");
        laughs.push_str(&format!("<!ENTITY lol{n} \"{inner}\">"));
    }
    laughs.push_str("]><ListBucketResult><Name>&lol9;</Name></ListBucketResult>");
    let external = "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>\
                    <Error><Code>&e;</Code></Error>";
    let deep = |root: &str| {
        let (open, close) = ("<a>".repeat(50_000), "</a>".repeat(50_000));
        format!("<{root}>{open}{close}</{root}>")
    };
    let attributes: String = (0..20_000).map(|n| format!(" a{n}=\"v\"")).collect();
    let cut = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>k</Ke";
    let long = format!("<ListBucketResult><Contents><Key>{}", "k".repeat(3 << 19));
    let numbers = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>k</Key>\
                   <LastModified>9999-99-99T99:99:99Z</LastModified>\
                   <Size>-1e999</Size></Contents></ListBucketResult>";
    vec![
        ("a billion laughs", always(ok(&laughs)), false, 64 * KIB),
        ("a file that is ours", always(ok(external)), false, 64 * KIB),
        ("a deep listing", always(ok(deep("ListBucketResult"))), false, 8 * MIB),
        ("a deep error", always(ok(deep("Error"))), false, 8 * MIB),
        (
            "a tag of attributes",
            always(ok(format!("<ListBucketResult{attributes}/>"))),
            false,
            4 * MIB,
        ),
        ("half a document", always(ok(cut)), false, 64 * KIB),
        ("a key without end", always(ok(long)), false, 12 * MIB),
        ("numbers that are none", always(ok(numbers)), false, 64 * KIB),
        (
            "a web page",
            always(ok("<!doctype html><html><body>Sign in<br></body>")),
            false,
            64 * KIB,
        ),
        ("no text", always(ok([0xff, 0xfe, 0x00, 0xd8].repeat(100))), false, 64 * KIB),
    ]
}

#[test]
fn hostile_servers() {
    for (name, attack, all, most) in [heads(), bodies(), documents()].concat() {
        for call in CALLS {
            let Seen { result, taken, requests } = on_paused_time(attacked(call, &attack));
            let seen = format!("{name}, {call:?}: {taken} bytes, {requests} requests, {result:?}");
            assert!(result.is_err() || !(all || call.parses()), "{seen}");
            // A conditional write asks what is there.
            assert!(requests <= 20, "{seen}");
            assert!(taken <= most, "{seen}");
            if let Err(error) = &result {
                assert!(error.to_string().len() < 4096, "{name}, {call:?}");
                let read = matches!(call, Call::Get | Call::Head | Call::List | Call::Parts);
                assert!(!read || error.outcome() == Outcome::NotApplied, "{seen}");
            }
        }
    }
}

/// A page of a listing.
fn page(keys: &[&str], next: Option<&str>) -> Answer {
    let mut text = String::from("<ListBucketResult>");
    for key in keys {
        text.push_str(&format!(
            "<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00Z</LastModified>\
             <ETag>e</ETag><Size>1</Size></Contents>"
        ));
    }
    if let Some(next) = next {
        text.push_str(&format!(
            "<IsTruncated>true</IsTruncated><NextContinuationToken>{next}</NextContinuationToken>"
        ));
    }
    ok(text + "</ListBucketResult>")
}

/// Rows 23 and 24: a listing that does not end is an error, and never a short one.
#[test]
fn listings_without_end() {
    for period in 1..=5_u64 {
        let attack: Attack = Arc::new(move |n| page(&["k"], Some(&format!("t{}", n % period))));
        let Seen { result, requests, .. } = on_paused_time(attacked(Call::List, &attack));
        assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidResponse, "{period}");
        assert!(requests <= period + 1, "{requests} requests for {period} tokens");
    }
    let empty: Attack = Arc::new(|n| page(&[], Some(&format!("t{n}"))));
    let Seen { result, requests, .. } = on_paused_time(attacked(Call::List, &empty));
    assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidResponse);
    assert_eq!(requests, 1000);
    let lost: Attack =
        always(ok("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"));
    let Seen { result, .. } = on_paused_time(attacked(Call::List, &lost));
    assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidResponse);
}

fn part(range: &str, body: &str) -> Vec<u8> {
    answer("206 Partial Content", &format!("content-range: {range}\r\n"), body.as_bytes())
}

/// Rows 8 and 9: what is not exactly what was asked for is an error.
#[test]
fn other_bytes_than_asked_for() {
    let rows = [
        ("no range", Call::GetRange, answer("206 Partial Content", "", b"5678")),
        ("a range before", Call::GetRange, part("bytes 4-7/20", "4567")),
        ("a longer range", Call::GetRange, part("bytes 5-9/20", "56789")),
        ("a shorter range", Call::GetRange, part("bytes 5-7/20", "567")),
        ("a range without size", Call::GetRange, part("bytes 5-8/*", "5678")),
        ("a range behind the end", Call::GetRange, part("bytes 5-8/7", "5678")),
        ("another unit", Call::GetRange, part("lines 5-8/20", "5678")),
        ("more than the range", Call::GetRange, part("bytes 5-8/20", "56789")),
        ("less than the range", Call::GetRange, part("bytes 5-8/20", "567")),
        ("a part of all", Call::Get, part("bytes 0-3/20", "0123")),
        ("without ETag", Call::Get, b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx".to_vec()),
        ("without length", Call::Get, b"HTTP/1.1 200 OK\r\netag: \"e\"\r\n\r\nx".to_vec()),
        ("a head without length", Call::Head, b"HTTP/1.1 200 OK\r\netag: \"e\"\r\n\r\n".to_vec()),
    ];
    for (name, call, bytes) in rows {
        let attack = always(Answer::Close(bytes));
        let error = on_paused_time(attacked(call, &attack)).result.expect_err(name);
        let found = (error.kind(), error.outcome());
        assert_eq!(found, (ErrorKind::InvalidResponse, Outcome::NotApplied), "{name}: {error:?}");
    }
}

/// Row 8: bytes behind the announced length are no answer to the next request.
#[test]
fn an_answer_nobody_asked_for() {
    on_paused_time(async {
        let attack: Attack = Arc::new(|n| {
            let mut bytes = answer("200 OK", "", b"right");
            if n == 0 {
                bytes.extend(answer("200 OK", "", b"wrong"));
            }
            Answer::Say(bytes)
        });
        let clock = Arc::new(RuntimeClock::new());
        let store = store(Server::new(&attack, &clock), clock, 1).await;
        for n in 0..3 {
            let bytes = store.get_bytes(&key("k")).await.unwrap();
            assert_eq!(bytes, "right", "{n}");
        }
    });
}

/// Credentials are not sent where a redirect points to.
#[test]
fn redirects_are_not_followed() {
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let location = "location: http://127.0.0.1:9000/bucket/elsewhere\r\n";
        let attack = always(Answer::Say(answer(status, location, b"")));
        for call in CALLS {
            let Seen { result, requests, .. } = on_paused_time(attacked(call, &attack));
            let error: Error = result.unwrap_err();
            assert_eq!((error.kind(), requests), (ErrorKind::Config, 1), "{status} {call:?}");
        }
    }
}
