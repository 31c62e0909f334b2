/// One thing that a store does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A create replaces what is there.
    IfAbsentIgnored,
    /// A compare-and-swap always goes ahead.
    IfUnchangedIgnored,
    /// A conditional delete always goes ahead.
    DeleteConditionIgnored,
    /// The condition of an upload is decided when it starts.
    UploadDecidesEarly,
    /// A compare-and-swap looks first and writes later.
    SwapNotAtomic,
    /// Bounded ranges yield a byte too many.
    RangeOffByOne,
    /// Ranges behind the end yield nothing.
    RangeBehindEndIsEmpty,
    /// Deleted objects stay in listings.
    DeletedStaysListed,
    /// Keys lose the space around them.
    KeysTrimmed,
    /// Keys lose repeated slashes.
    SlashesCollapsed,
    /// Keys are put into lower case.
    KeysFolded,
    /// The first key of each further page is skipped.
    PageSkipsOne,
    /// The last key of each page is repeated on the next one.
    PageRepeatsOne,
    /// The next page begins at a position, not behind a key.
    PageByPosition,
    /// Only prefixes that end at a slash are found.
    PrefixBySegment,
    /// A group is listed once for each key in it.
    GroupsRepeated,
    /// Listings come in the order of writes.
    Unordered,
    /// Metadata survives an overwrite.
    MetadataSurvives,
    /// Copies lose their tags.
    CopyDropsTags,
    /// An update of tags removes the attributes.
    UpdateDropsAttributes,
    /// Expected checksums are not compared.
    ChecksumUnchecked,
    /// What is declared as unsupported is not refused.
    NotRefused,
    /// What an upload has so far is visible.
    UploadVisibleEarly,
    /// A dropped upload is completed.
    DropCompletes,
    /// Parts are put together in the order in which they came.
    PartsInOrderOfArrival,
    /// Completing twice works.
    UploadLivesOn,
    /// Outcomes of a bulk delete come in the order of the keys.
    OutcomesSorted,
    /// Deleting a missing object is an error.
    DeleteMissingFails,
    /// A source that breaks off is written as far as it got.
    SourceCutShort,
    /// Content becomes visible before it is complete.
    TornWrites,
    /// Versions that were removed for good can still be read.
    VersionsUndead,
    /// A delete of the current version takes the older ones with it.
    DeleteTakesVersions,
    /// The ETag stays as it was.
    EtagConstant,
}
