//! What is measured: the cases of each suite, who takes part, and the bars to clear.

use anyhow::bail;

use crate::measure::Measured;

/// A set of cases that are measured and reported together.
#[derive(Debug)]
pub(crate) struct Suite {
    /// Names the report files.
    pub(crate) name: &'static str,
    /// Those that polycloud is compared with, in the order of the columns.
    pub(crate) peers: &'static [&'static str],
    /// Names of the packages whose versions the report states.
    pub(crate) packages: &'static [&'static str],
    /// Whether the report also shows what each client needs by itself, not only ratios.
    pub(crate) costs: bool,
    /// Cases, grouped.
    pub(crate) cases: Vec<Case>,
}

impl Suite {
    /// Whether the clients talk to a server, instead of writing files.
    pub(crate) fn served(&self) -> bool {
        self.cases.iter().any(|case| case.store == Store::S3)
    }
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
    /// Factors by which polycloud is to be better than a peer.
    pub(crate) bars: &'static [Bar],
    /// Most memory that polycloud may use, in MiB.
    pub(crate) peak_mib: Option<f64>,
}

impl Case {
    /// Whether its instructions can be counted: those of small calls, made by one task.
    pub(crate) fn counted(&self) -> bool {
        let streams = matches!(self.work, Work::StreamIn(_) | Work::StreamOut(_) | Work::List(_));
        self.store == Store::S3 && self.tasks == 1 && !streams
    }

    /// The factor by which polycloud is to be better than a peer.
    pub(crate) fn goal(&self, peer: &str, figure: Figure) -> Option<f64> {
        let of = |bar: &&Bar| bar.peer == peer && bar.figure == figure;
        self.bars.iter().find(of).map(|bar| bar.factor)
    }
}

/// polycloud is to take at most `1 / factor` of the peer's time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bar {
    /// The peer.
    pub(crate) peer: &'static str,
    /// Which time.
    pub(crate) figure: Figure,
    /// The factor.
    pub(crate) factor: f64,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    /// Processor time, in user and in kernel mode.
    Cpu,
    /// Elapsed time.
    Wall,
}

impl Figure {
    /// All, in the order of the report.
    pub(crate) const ALL: [Self; 2] = [Self::Cpu, Self::Wall];

    /// As the report calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Wall => "wall",
        }
    }

    /// In microseconds.
    pub(crate) fn of(self, measured: &Measured) -> f64 {
        match self {
            Self::Cpu => measured.cpu_us,
            Self::Wall => measured.wall_us,
        }
    }
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
    /// A server that speaks Amazon S3's protocol.
    S3,
}

/// What one call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Write an object of so many bytes.
    Put(usize),
    /// Read a whole object of so many bytes into memory.
    Get(usize),
    /// Read the metadata of an object.
    Head,
    /// Delete an object.
    Delete,
    /// List so many objects.
    List(usize),
    /// Write an object of so many bytes, piece by piece.
    StreamIn(u64),
    /// Read an object of so many bytes, piece by piece.
    StreamOut(u64),
}

impl Work {
    /// How many of the calls that are reported it is. A listing from a server counts as its pages.
    pub(crate) fn calls(self, store: Store) -> u64 {
        match self {
            Self::List(count) if store == Store::S3 => (count / PAGE) as u64,
            _ => 1,
        }
    }
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
/// Keys on a page, as Amazon S3 limits them.
const PAGE: usize = 1_000;

/// The client that the others are compared with.
pub(crate) const US: &str = "polycloud";
const OBJECT_STORE: &str = "object_store";
const OPENDAL: &str = "opendal";
const AWS_SDK: &str = "aws-sdk-s3";
/// HTTP and nothing else: what the HTTP library allows.
const HYPER: &str = "hyper";
/// Plain system calls on the blocking pool: what the disk and the runtime allow.
const RAW: &str = "raw";

/// The suite of that name.
pub(crate) fn named(name: &str) -> anyhow::Result<Suite> {
    match name {
        "local" => Ok(local()),
        "s3" => Ok(s3()),
        _ => bail!("no suite is called {name:?}; there are: local, s3"),
    }
}

const fn cpu(peer: &'static str, factor: f64) -> Bar {
    Bar { peer, figure: Figure::Cpu, factor }
}

const fn wall(peer: &'static str, factor: f64) -> Bar {
    Bar { peer, figure: Figure::Wall, factor }
}

/// The embedded stores against the peers' memory and file stores.
fn local() -> Suite {
    const TWICE: &[Bar] = &[cpu(OBJECT_STORE, 2.0), wall(OBJECT_STORE, 2.0)];
    const HALF_MORE: &[Bar] =
        &[cpu(OBJECT_STORE, 1.5), wall(OBJECT_STORE, 1.5), cpu(OPENDAL, 1.5), wall(OPENDAL, 1.5)];
    let memory = |op, tasks, work| Case {
        group: "memory",
        op,
        tasks,
        store: Store::Memory,
        work,
        peers: &[OBJECT_STORE, OPENDAL],
        bars: if tasks == 8 { TWICE } else { &[] },
        peak_mib: None,
    };
    let files = |op, tasks, store, work| Case {
        group: "local",
        op,
        tasks,
        store,
        work,
        peers: &[OBJECT_STORE, OPENDAL, RAW],
        bars: HALF_MORE,
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
    Suite {
        name: "local",
        peers: &[OBJECT_STORE, OPENDAL, RAW],
        packages: &["object_store", "opendal"],
        costs: false,
        cases,
    }
}

/// Amazon S3's protocol, against a server that answers at once.
fn s3() -> Suite {
    const PEERS: &[&str] = &[OBJECT_STORE, OPENDAL, AWS_SDK, HYPER];
    // At most 0.5, 0.2, 1.5, 0.3 and 1.05 times what the peer takes.
    const SMALL: &[Bar] = &[cpu(OBJECT_STORE, 2.0), cpu(AWS_SDK, 5.0), cpu(HYPER, 1.0 / 1.5)];
    const LIST: &[Bar] = &[cpu(OBJECT_STORE, 1.0 / 0.3)];
    const LARGE: &[Bar] = &[wall(HYPER, 1.0 / 1.05)];
    let case = |op, tasks, work, bars, peak_mib| Case {
        group: "s3",
        op,
        tasks,
        store: Store::S3,
        work,
        peers: PEERS,
        bars,
        peak_mib,
    };
    let cases = vec![
        case("get_4k", 1, Work::Get(4 * KIB), SMALL, None),
        case("get_4k", 32, Work::Get(4 * KIB), SMALL, None),
        case("put_4k", 1, Work::Put(4 * KIB), SMALL, None),
        case("put_4k", 32, Work::Put(4 * KIB), SMALL, None),
        case("head", 1, Work::Head, SMALL, None),
        case("head", 32, Work::Head, SMALL, None),
        case("delete", 1, Work::Delete, SMALL, None),
        case("delete", 32, Work::Delete, SMALL, None),
        case("list_1000", 1, Work::List(100 * PAGE), LIST, None),
        case("get_1g", 1, Work::StreamOut(1 << 30), LARGE, Some(64.0)),
        case("put_1g", 1, Work::StreamIn(1 << 30), LARGE, Some(64.0)),
        case("get_16x64m", 16, Work::StreamOut(64 << 20), &[], None),
    ];
    Suite {
        name: "s3",
        peers: PEERS,
        packages: &["object_store", "opendal", "aws-sdk-s3", "hyper", "hyper-util"],
        costs: true,
        cases,
    }
}
