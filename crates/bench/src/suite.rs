//! What is measured: the cases of each suite, who takes part, and the bars to clear.

use anyhow::bail;

/// A set of cases that are measured and reported together.
#[derive(Debug)]
pub(crate) struct Suite {
    /// Names the report files.
    pub(crate) name: &'static str,
    /// Those that polycloud is compared with, in the order of the columns.
    pub(crate) peers: &'static [&'static str],
    /// Cases, grouped.
    pub(crate) cases: Vec<Case>,
}

/// One operation under one load.
#[derive(Debug)]
pub(crate) struct Case {
    /// Cases of a group share a chart.
    pub(crate) group: &'static str,
    /// Name of the operation in the report.
    pub(crate) op: &'static str,
    /// How many tasks call it at the same time.
    pub(crate) tasks: usize,
    /// Which kind of store.
    pub(crate) store: Store,
    /// What a call does.
    pub(crate) work: Work,
    /// Those that take part besides polycloud.
    pub(crate) peers: &'static [&'static str],
    /// Factors by which polycloud is to be better than a peer, in CPU and in wall time.
    pub(crate) bars: &'static [Bar],
    /// Most memory that polycloud may use, in MiB.
    pub(crate) peak_mib: Option<f64>,
}

impl Case {
    /// The factor by which polycloud is to be better than a peer.
    pub(crate) fn goal(&self, peer: &str) -> Option<f64> {
        self.bars.iter().find(|bar| bar.peer == peer).map(|bar| bar.factor)
    }
}

/// polycloud is to take at most `1 / factor` of the peer's time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bar {
    /// The peer.
    pub(crate) peer: &'static str,
    /// The factor.
    pub(crate) factor: f64,
}

/// Kind of store, which each client maps to its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// In memory.
    Memory,
    /// Files, synced to the disk as well as the client can.
    Durable,
    /// Files, as the client writes them by default; polycloud without syncing.
    Fast,
}

/// What one call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Write an object of so many bytes.
    Put(usize),
    /// Read a whole object of so many bytes into memory.
    Get(usize),
    /// List so many objects.
    List(usize),
    /// Write an object of so many bytes, piece by piece.
    StreamIn(u64),
    /// Read an object of so many bytes, piece by piece.
    StreamOut(u64),
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// The client that the others are compared with.
pub(crate) const US: &str = "polycloud";
const OBJECT_STORE: &str = "object_store";
const OPENDAL: &str = "opendal";
/// Plain system calls on the blocking pool: what the disk and the runtime allow.
const RAW: &str = "raw";

/// The suite of that name.
pub(crate) fn named(name: &str) -> anyhow::Result<Suite> {
    match name {
        "local" => Ok(local()),
        _ => bail!("no suite is called {name:?}; there is: local"),
    }
}

/// The embedded stores against the peers' memory and file stores.
fn local() -> Suite {
    let twice: &[Bar] = &[Bar { peer: OBJECT_STORE, factor: 2.0 }];
    let memory = |op, tasks, work| Case {
        group: "memory",
        op,
        tasks,
        store: Store::Memory,
        work,
        peers: &[OBJECT_STORE, OPENDAL],
        bars: if tasks == 8 { twice } else { &[] },
        peak_mib: None,
    };
    let half_more: &[Bar] =
        &[Bar { peer: OBJECT_STORE, factor: 1.5 }, Bar { peer: OPENDAL, factor: 1.5 }];
    let files = |op, tasks, store, work| Case {
        group: "local",
        op,
        tasks,
        store,
        work,
        peers: &[OBJECT_STORE, OPENDAL, RAW],
        bars: half_more,
        peak_mib: None,
    };
    let stream =
        |op, work| Case { bars: &[], peak_mib: Some(64.0), ..files(op, 1, Store::Fast, work) };
    let cases = vec![
        memory("memory_put_4k", 1, Work::Put(4 * KIB)),
        memory("memory_put_4k", 8, Work::Put(4 * KIB)),
        memory("memory_get_4k", 1, Work::Get(4 * KIB)),
        memory("memory_get_4k", 8, Work::Get(4 * KIB)),
        memory("memory_put_16m", 1, Work::Put(16 * MIB)),
        memory("memory_put_16m", 8, Work::Put(16 * MIB)),
        memory("memory_get_16m", 1, Work::Get(16 * MIB)),
        memory("memory_get_16m", 8, Work::Get(16 * MIB)),
        memory("memory_list_100k", 1, Work::List(100_000)),
        memory("memory_list_100k", 8, Work::List(100_000)),
        files("durable_put_4k", 1, Store::Durable, Work::Put(4 * KIB)),
        files("durable_put_4k", 8, Store::Durable, Work::Put(4 * KIB)),
        files("durable_put_256m", 1, Store::Durable, Work::Put(256 * MIB)),
        files("fast_put_4k", 1, Store::Fast, Work::Put(4 * KIB)),
        files("fast_put_4k", 8, Store::Fast, Work::Put(4 * KIB)),
        files("fast_put_256m", 1, Store::Fast, Work::Put(256 * MIB)),
        files("file_get_4k", 1, Store::Fast, Work::Get(4 * KIB)),
        files("file_get_4k", 8, Store::Fast, Work::Get(4 * KIB)),
        files("file_get_256m", 1, Store::Fast, Work::Get(256 * MIB)),
        files("file_list_100k", 1, Store::Fast, Work::List(100_000)),
        stream("stream_in_1g", Work::StreamIn(1 << 30)),
        stream("stream_out_1g", Work::StreamOut(1 << 30)),
    ];
    Suite { name: "local", peers: &[OBJECT_STORE, OPENDAL, RAW], cases }
}
