//! Keys that would be mistaken for something else.

/// Slashes where others would not have them.
pub(super) const SLASHES: &[&str] =
    &["/", "//", "/a", "a/", "a//", "a//b", "a///b", "//a//b//", "/a/b", "a/b/", "b/c"];

/// Dots, alone and among slashes.
pub(super) const DOTS: &[&str] = &[
    ".",
    "..",
    "...",
    "./a",
    "../x",
    "../../../x",
    "a/.",
    "a/..",
    "a/./b",
    "a/../b",
    "/..",
    "/../x",
    "a/.../b",
    ".a",
    "a.",
    "..a",
];

/// Spaces at the ends and within.
pub(super) const SPACES: &[&str] = &[
    " ",
    "  ",
    " a",
    "a ",
    " a ",
    "a b",
    "a  b",
    "a / b",
    "a/ ",
    " /a",
    "a/ /b",
    "\u{a0}",
    "a\u{3000}",
];

/// What means something in a URL.
pub(super) const URLS: &[&str] = &[
    "%",
    "%%",
    "%41",
    "%2F",
    "a%2Fb",
    "a%2fb",
    "%zz",
    "%00",
    "+",
    "a+b",
    "a%20b",
    "a%2Bb",
    "?",
    "a?b=c",
    "#",
    "a#b",
    "&",
    "a&b=c",
    "=",
    ";",
    ":",
    "c:",
    "@",
    "$",
    "!",
    "a,b",
    "http://example.com/x",
    "~",
    "~user",
];

/// Text that normalising, folding or a byte order would change.
pub(super) const UNICODE: &[&str] = &[
    "\u{e9}",
    "e\u{301}",
    "\u{df}",
    "ss",
    "\u{130}",
    "i\u{307}",
    "日本語/ファイル",
    "☺",
    "🦀/👩‍👩‍👧‍👦",
    "\u{202e}abc",
    "a\u{200b}b",
    "\u{feff}a",
    "\u{2028}",
    "\u{fffd}",
    "\u{ffff}",
    "\u{10ffff}",
    "\u{d7ff}\u{e000}",
    "Ω/Ω",
];

/// What means something to Windows, XML or a shell.
pub(super) const QUOTES: &[&str] = &[
    "\\", "a\\b", "..\\x", "a\\..\\b", "\"", "'", "`", "a\"b'c", "<&>", "]]>", "<!--", "&amp;",
    "&#10;", "$(x)", "{a,b}", "[a]", "^", "|", "a|b", "%s", "{}", "\\n",
];

/// What looks temporary, reserved, internal, or like a pattern or an option.
pub(super) const INTERNAL: &[&str] = &[
    ".polycloud",
    ".polycloud/x",
    ".polycloud/tmp/1",
    ".tmp",
    "a.tmp",
    ".#a",
    "a~",
    "#a#",
    ".lock",
    ".git/config",
    ".DS_Store",
    "con",
    "NUL",
    "aux.txt",
    "*",
    "a*b",
    "**/*",
    "a?b",
    "soap/",
    "-",
    "--help",
    "-rf",
    "null",
    "0",
];

/// Names that a file system without case would confuse.
pub(super) const CASES_OF_LETTERS: &[&str] =
    &["a", "A", "aB", "Ab", "AB", "ab", "dir/x", "DIR/x", "Dir/X", "é", "É"];

/// One key for each control character, first, last and in the middle.
pub(super) fn controls() -> Vec<String> {
    let controls = ('\0'..=' ').chain('\u{7f}'..='\u{9f}').filter(|c| c.is_control());
    controls
        .flat_map(|c| [format!("a{c}b"), format!("{c}"), format!("{c}a"), format!("a{c}")])
        .collect()
}

/// Keys of the full length, and keys that are long within a segment or in their number of segments.
pub(super) fn long() -> Vec<String> {
    vec![
        "x".repeat(1_024),
        format!("{}y", "x".repeat(1_023)),
        "é".repeat(512),
        "🦀".repeat(256),
        "%".repeat(1_024),
        "\u{1}".repeat(1_024),
        "a/".repeat(512),
        "/".repeat(1_024),
        ["x".repeat(255), "y".repeat(255), "z".repeat(255), "w".repeat(256)].join("/"),
        "x".repeat(256),
        "é".repeat(128),
        format!("{}/{}", "d".repeat(300), "f".repeat(300)),
        ["."; 512].join("/"),
    ]
}

/// A few of every kind, for operations that are shown on all kinds at once.
pub(super) fn weird() -> Vec<String> {
    let groups = [SLASHES, DOTS, SPACES, URLS, UNICODE, QUOTES, INTERNAL];
    let mut keys: Vec<String> = groups
        .into_iter()
        .flat_map(|group| group.iter().step_by(3))
        .map(|name| (*name).into())
        .collect();
    keys.extend(controls().into_iter().step_by(7));
    keys.extend(long());
    keys
}
