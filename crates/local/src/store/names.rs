//! Keys as paths and back.

use polycloud_core::object::Key;

/// The folder that holds what is not an object, in every root.
pub(super) const PRIVATE: &str = ".polycloud";

/// Longest file name that is used. Every file system in use takes it.
const NAME_MAX: usize = 255;

/// Longest piece of an escaped name.
const PIECE: usize = 200;

/// Whether the key can be the path of its file as it is.
///
/// `folding` file systems take `A` for `a` or one form of `é` for another; there only keys that have
/// no such double can.
pub(super) fn is_plain(key: &str, folding: bool) -> bool {
    let plain = |name: &str| {
        !matches!(name, "" | "." | "..")
            && name.len() <= NAME_MAX
            && !name.contains(char::is_control)
    };
    let folds = |c: char| !c.is_ascii() || c.is_ascii_uppercase();
    let mut names = key.split('/');
    let first = names.next().unwrap_or("");
    !first.eq_ignore_ascii_case(PRIVATE)
        && plain(first)
        && names.all(plain)
        && !(folding && key.contains(folds))
}

/// A path that any key can have: one name, cut into pieces that each fit into a file name.
///
/// Lower-case letters, digits, `-`, `_` and `.` stand for themselves, every other byte is `%` and two
/// digits. All pieces but the last end with `+`, the last one with `=`: so no name is special, no
/// file's path leads through another file's, and none is folded into another.
pub(super) fn escape(key: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(*HEX.get(usize::from(nibble)).unwrap_or(&b'0'));
    let mut path = String::with_capacity(key.len() + key.len() / 2 + 1);
    let mut piece = 0;
    for byte in key.bytes() {
        if piece >= PIECE {
            path.push_str("+/");
            piece = 0;
        }
        if matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.') {
            path.push(char::from(byte));
            piece += 1;
        } else {
            path.extend(['%', digit(byte >> 4), digit(byte & 15)]);
            piece += 3;
        }
    }
    path.push('=');
    path
}

/// The key of an escaped path, or `None` if it is not one that [`escape`] makes.
pub(super) fn unescape(path: &str) -> Option<Key> {
    let name = path.strip_suffix('=')?.replace("+/", "");
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte == b'%' {
            let (digits, tail) = rest.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(*byte);
        }
    }
    let key = Key::new(String::from_utf8(bytes).ok()?).ok()?;
    (escape(&key) == path).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_keys() {
        let long = "x".repeat(255);
        for key in ["a", "a/b.txt", "ü", "a b", "...", "a/.polycloud", "%41", "A", long.as_str()] {
            assert!(is_plain(key, false), "{key}");
        }
        let longer = "x".repeat(256);
        let other = [
            "a//b",
            "/a",
            "a/",
            ".",
            "..",
            "a/../b",
            "./a",
            "a\nb",
            "\0",
            ".polycloud",
            ".polycloud/x",
            ".PolyCloud/x",
            longer.as_str(),
        ];
        for key in other {
            assert!(!is_plain(key, false), "{key:?}");
        }
        assert!(!is_plain("A", true) && !is_plain("é", true) && is_plain("a", true));
    }

    proptest! {
        #[test]
        fn escaped_keys_come_back(key in "(.|\\PC|[./%+=A-Z]){1,400}") {
            prop_assume!(key.len() <= Key::MAX_BYTES);
            let path = escape(&key);
            let back = unescape(&path).unwrap();
            prop_assert_eq!(back.as_str(), key.as_str());
            prop_assert_eq!(path.to_lowercase(), path.clone());
            for name in path.split('/') {
                prop_assert!((2..=NAME_MAX).contains(&name.len()) || name == "=", "{}", name);
                prop_assert!(name.ends_with(['+', '=']));
            }
        }

        #[test]
        fn a_plain_key_stays_within_its_root(key in "(.|[./]){1,60}") {
            if is_plain(&key, false) {
                let components: Vec<_> = std::path::Path::new(&key).components().collect();
                prop_assert_eq!(components.len(), key.split('/').count());
                prop_assert!(components.iter().all(|c| matches!(c, std::path::Component::Normal(_))));
            }
        }
    }

    #[test]
    fn what_was_not_escaped_is_no_key() {
        for path in ["", "a", "a+", "A=", "%4=", "%zz=", "%61=", "a/b=", "="] {
            assert!(unescape(path).is_none(), "{path}");
        }
    }
}
