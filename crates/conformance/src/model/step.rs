//! The steps of a sequence: data without pointers to each other, so that any of them can be left out.

use std::fmt;

use bytes::Bytes;
use polycloud_core::Result;
use polycloud_core::clock::Random;
use polycloud_core::object::{Attributes, Key, ListOptions, Range, Tags};

/// One operation.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Put {
        key: Name,
        data: Data,
        dress: Dress,
        wish: Option<Wish>,
    },
    Upload {
        key: Name,
        chunks: Vec<Data>,
        dress: Dress,
        wish: Option<Wish>,
        complete: bool,
    },
    Get {
        key: Name,
        part: Option<Part>,
        at: Option<Pick>,
        wish: Option<Wish>,
    },
    Head {
        key: Name,
        at: Option<Pick>,
        wish: Option<Wish>,
    },
    Delete {
        key: Name,
        at: Option<Pick>,
        wish: Option<Wish>,
    },
    List(ListOptions),
    Copy {
        from: Name,
        to: Name,
        at: Option<Pick>,
        source: Option<Wish>,
        dress: Option<Dress>,
        wish: Option<Wish>,
    },
    Update {
        key: Name,
        dress: Dress,
        wish: Option<Wish>,
    },
}

/// One of few keys, most of which some client or server takes for another one.
#[derive(Clone, Copy)]
pub(super) struct Name(u64);

const NAMES: &[&str] = &["a", "a/", "a/b", "a//b", "..", "A", " ", "a/b/c"];

/// As many keys, and a long one.
const COUNT: u64 = NAMES.len() as u64 + 1;

impl Name {
    /// The name itself.
    pub(super) fn text(self) -> String {
        let name = usize::try_from(self.0).ok().and_then(|number| NAMES.get(number));
        name.map_or_else(|| "long/".repeat(Key::MAX_BYTES / 5), |name| (*name).to_owned())
    }

    /// The key.
    pub(super) fn key(self) -> Result<Key> {
        Key::new(self.text())
    }

    /// Every name.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..COUNT).map(Self)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        if text.len() > 20 { write!(f, "{} × \"long/\"", text.len() / 5) } else { text.fmt(f) }
    }
}

/// Content that is like no other.
#[derive(Clone, Copy)]
pub(super) struct Data {
    id: u64,
    len: usize,
}

impl Data {
    pub(super) fn bytes(self) -> Bytes {
        let start = u8::try_from(self.id % 251).unwrap_or(0);
        let pattern = (0..=250_u8).cycle().skip(start.into());
        let head = self.id.to_le_bytes();
        head.into_iter().chain(pattern).take(self.len).collect()
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes #{:x}", self.len, self.id)
    }
}

/// User metadata and tags.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Dress {
    pub(super) metadata: Option<u64>,
    pub(super) tag: Option<u64>,
}

impl Dress {
    pub(super) fn attributes(self) -> Result<Attributes> {
        self.metadata.map_or_else(
            || Ok(Attributes::new()),
            |value| Attributes::new().with_metadata("color", value.to_string()),
        )
    }

    pub(super) fn tags(self) -> Result<Tags> {
        self.tag
            .map_or_else(|| Ok(Tags::new()), |value| Tags::new().with("team", value.to_string()))
    }
}

/// Which of the revisions that a key had: so many before the last one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pick(pub(super) usize);

/// A condition.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wish {
    Absent,
    Exists,
    Unchanged(Pick),
    Match(Pick),
    NoneMatch(Pick),
}

/// A range.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Bounded(u64, u64),
    From(u64),
    Suffix(u64),
}

impl Part {
    pub(super) fn range(self) -> Result<Range> {
        Ok(match self {
            Self::Bounded(start, len) => Range::bounded(start, start + len)?,
            Self::From(start) => Range::from_offset(start),
            Self::Suffix(len) => Range::suffix(len),
        })
    }

    /// The bytes that it means, or `None` if it begins behind the end.
    pub(super) fn of(self, content: &Bytes) -> Option<Bytes> {
        let size = content.len() as u64;
        let (start, end) = match self {
            Self::Bounded(_, 0) | Self::Suffix(0) => return Some(Bytes::new()),
            Self::Bounded(start, len) => (start, (start + len).min(size)),
            Self::From(start) => (start, size),
            Self::Suffix(len) => (size.saturating_sub(len), size),
        };
        let all_of_nothing = size == 0 && start == 0 && !matches!(self, Self::Bounded(..));
        if start >= size && !all_of_nothing {
            return None;
        }
        Some(content.slice(usize::try_from(start).ok()?..usize::try_from(end).ok()?))
    }
}

/// Draws steps.
pub(super) struct Dice<'a> {
    pub(super) random: &'a dyn Random,
    pub(super) versioned: bool,
}

impl Dice<'_> {
    pub(super) fn step(&self) -> Step {
        match self.random.below(100) {
            0..25 => Step::Put {
                key: self.name(),
                data: self.data(),
                dress: self.dress(),
                wish: self.wish_to_write(),
            },
            25..33 => Step::Upload {
                key: self.name(),
                chunks: (0..self.random.below(4)).map(|_| self.data()).collect(),
                dress: self.dress(),
                wish: self.wish_to_write(),
                complete: self.random.below(4) > 0,
            },
            33..46 => Step::Get {
                key: self.name(),
                part: self.one_in(2, Self::part),
                at: self.version(),
                wish: self.wish_to_read(),
            },
            46..52 => {
                Step::Head { key: self.name(), at: self.version(), wish: self.wish_to_read() }
            }
            52..68 => {
                let at = self.version();
                // A delete by version says already what it means.
                let wish = if at.is_some() { None } else { self.wish_to_delete() };
                Step::Delete { key: self.name(), at, wish }
            }
            68..85 => Step::List(self.listing()),
            85..94 => Step::Copy {
                from: self.name(),
                to: self.name(),
                at: self.version(),
                source: self.one_in(4, |dice| Wish::Unchanged(dice.pick())),
                dress: self.one_in(3, Self::dress),
                wish: self.wish_to_write(),
            },
            _ => Step::Update {
                key: self.name(),
                dress: self.dress(),
                wish: self.one_in(2, |dice| Wish::Unchanged(dice.pick())),
            },
        }
    }

    fn one_in<T>(&self, times: u64, draw: impl Fn(&Self) -> T) -> Option<T> {
        (self.random.below(times) == 0).then(|| draw(self))
    }

    fn of<'t, T>(&self, choices: &'t [T]) -> Option<&'t T> {
        choices.get(usize::try_from(self.random.below(choices.len() as u64)).unwrap_or(0))
    }

    fn name(&self) -> Name {
        Name(self.random.below(COUNT))
    }

    fn data(&self) -> Data {
        let sizes = [0, 1, 7, 8, 100, 1_000, 70_000];
        Data { id: self.random.next_u64(), len: self.of(&sizes).copied().unwrap_or(0) }
    }

    fn dress(&self) -> Dress {
        let value = || self.one_in(4, |dice| dice.random.below(1_000));
        Dress { metadata: value(), tag: value() }
    }

    fn pick(&self) -> Pick {
        let back = [0, 0, 0, 0, 1, 1, 2, 3];
        Pick(self.of(&back).copied().unwrap_or(0))
    }

    fn version(&self) -> Option<Pick> {
        if self.versioned { self.one_in(3, Self::pick) } else { None }
    }

    fn wish_to_write(&self) -> Option<Wish> {
        match self.random.below(12) {
            0 | 1 => Some(Wish::Absent),
            2 => Some(Wish::Exists),
            3 | 4 => Some(Wish::Unchanged(self.pick())),
            5 => Some(Wish::Match(self.pick())),
            6 => Some(Wish::NoneMatch(self.pick())),
            _ => None,
        }
    }

    fn wish_to_read(&self) -> Option<Wish> {
        match self.random.below(9) {
            0 => Some(Wish::Unchanged(self.pick())),
            1 => Some(Wish::Match(self.pick())),
            2 => Some(Wish::NoneMatch(self.pick())),
            _ => None,
        }
    }

    fn wish_to_delete(&self) -> Option<Wish> {
        match self.random.below(9) {
            0 => Some(Wish::Exists),
            1 => Some(Wish::Unchanged(self.pick())),
            2 => Some(Wish::Match(self.pick())),
            _ => None,
        }
    }

    fn part(&self) -> Part {
        let edges = [0, 1, 2, 7, 8, 9, 99, 100, 101, 65_536, 69_999, 70_000, 80_000];
        let edge = || self.of(&edges).copied().unwrap_or(0);
        match self.random.below(3) {
            0 => Part::Bounded(edge(), edge()),
            1 => Part::From(edge()),
            _ => Part::Suffix(edge()),
        }
    }

    fn listing(&self) -> ListOptions {
        let prefixes = ["", "", "", "a", "a/", "a/b", "a//", ".", "A", "long/l", "z"];
        let mut options = ListOptions::prefix(self.of(&prefixes).copied().unwrap_or(""));
        let delimiters = ["/", "/", "/", "//", "b"];
        options.delimiter =
            self.one_in(2, |dice| dice.of(&delimiters).copied().unwrap_or("/").into());
        options.start_after = self.one_in(4, |dice| dice.name().text());
        options.page_size = self.of(&[None, Some(1), Some(2), Some(3)]).copied().flatten();
        options.versions = self.versioned && self.random.below(2) == 0;
        options
    }
}

impl Step {
    /// Steps that do less, to try in place of this one, those that do least first.
    pub(super) fn simpler(&self) -> Vec<Self> {
        let mut simpler = Vec::new();
        if let Self::Upload { key, .. } | Self::Copy { to: key, .. } = self {
            let (data, dress, wish) = (Data { id: 0, len: 1 }, Dress::default(), None);
            simpler.push(Self::Put { key: *key, data, dress, wish });
        }
        if let Self::List(options) = self {
            let plain = ListOptions::default().with_versions(options.versions);
            simpler.extend((plain != *options).then_some(Self::List(plain)));
            let size = options.page_size.filter(|size| *size > 1).map(|_| 1_u32);
            simpler.extend(size.map(|size| Self::List(options.clone().with_page_size(size))));
        }
        let mut less = |change: fn(&mut Self) -> bool| {
            let mut step = self.clone();
            if change(&mut step) {
                simpler.push(step);
            }
        };
        less(|step| step.wish_mut().is_some_and(|wish| wish.take().is_some()));
        less(|step| match step {
            Self::Put { dress, .. } | Self::Upload { dress, .. } => {
                std::mem::take(dress) != Dress::default()
            }
            Self::Copy { dress, .. } => dress.take().is_some(),
            Self::Get { part, .. } => part.take().is_some(),
            Self::List(options) => options.page_size.take().is_some(),
            Self::Head { .. } | Self::Delete { .. } | Self::Update { .. } => false,
        });
        less(|step| match step {
            Self::Put { data, .. } if data.len > 1 => {
                data.len = 1;
                true
            }
            Self::Put { .. } => false,
            Self::Upload { chunks, .. } => chunks.pop().is_some(),
            Self::Copy { source, .. } => source.take().is_some(),
            Self::List(options) => options.start_after.take().is_some(),
            Self::Get { .. } | Self::Head { .. } | Self::Delete { .. } | Self::Update { .. } => {
                false
            }
        });
        simpler
    }

    fn wish_mut(&mut self) -> Option<&mut Option<Wish>> {
        match self {
            Self::Put { wish, .. }
            | Self::Upload { wish, .. }
            | Self::Get { wish, .. }
            | Self::Head { wish, .. }
            | Self::Delete { wish, .. }
            | Self::Copy { wish, .. }
            | Self::Update { wish, .. } => Some(wish),
            Self::List(_) => None,
        }
    }
}
