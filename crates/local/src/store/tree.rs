//! A walk over a tree of files in the byte order of their paths.

use std::cmp::Ordering;

use polycloud_core::Result;
use rustix::io::Errno;

use super::root::{self, Dir, failed};

/// Yields the files below a directory, ordered by their paths. Directories are read when the walk comes
/// to them, and each only once.
#[derive(Debug)]
pub(super) struct Tree {
    base: Dir,
    /// The path of the base, as it stands in front of all names: empty, or with a slash at its end.
    prefix: String,
    levels: Vec<Level>,
    skip: &'static str,
}

/// A directory that the walk is in.
#[derive(Debug)]
struct Level {
    dir: Dir,
    /// Its path, empty or with a slash at its end.
    prefix: String,
    /// Its names in the order of the walk, and how many of them are done.
    names: Vec<(String, bool)>,
    done: usize,
}

/// A file that the walk came to.
#[derive(Debug, Clone)]
pub(super) struct TreeFile {
    pub(super) path: String,
    pub(super) dir: Dir,
    /// Where the name begins in the path.
    name: usize,
}

impl TreeFile {
    pub(super) fn name(&self) -> &str {
        self.path.get(self.name..).unwrap_or_default()
    }
}

/// Orders names as the paths that they are part of: a directory counts with the slash behind it.
fn order(a: &(String, bool), b: &(String, bool)) -> Ordering {
    let bytes = |(name, is_dir): &'_ (String, bool)| {
        let slash: &'static [u8] = if *is_dir { b"/" } else { b"" };
        (name.clone(), slash)
    };
    match a.1 || b.1 {
        false => a.0.cmp(&b.0),
        true => {
            let ((a, x), (b, y)) = (bytes(a), bytes(b));
            a.bytes().chain(x.iter().copied()).cmp(b.bytes().chain(y.iter().copied()))
        }
    }
}

impl Tree {
    /// A walk over everything below `base` but the top-level name `skip`. Paths begin with `prefix`.
    pub(super) fn new(base: Dir, prefix: impl Into<String>, skip: &'static str) -> Self {
        Self { base, prefix: prefix.into(), levels: Vec::new(), skip }
    }

    /// Goes to the first file whose path is not less than `path`.
    pub(super) fn seek(&mut self, path: &str) -> Result<()> {
        // Directories that the new place is in as well need not be read again.
        self.levels.retain(|level| path.starts_with(&level.prefix));
        if self.levels.is_empty() {
            let base = Dir::clone(&self.base);
            self.push(base, self.prefix.clone())?;
        }
        while let Some(level) = self.levels.last_mut() {
            let Some(rest) = path.strip_prefix(level.prefix.as_str()) else {
                // The place is outside of the tree: before all of it, or behind.
                level.done = if path < level.prefix.as_str() { 0 } else { level.names.len() };
                return Ok(());
            };
            let inner = rest.split_once('/').map(|(name, _)| (name.to_owned(), true));
            let file = (rest.to_owned(), false);
            level.done = level.names.partition_point(|name| order(name, &file).is_lt());
            let Some(inner) = inner else { return Ok(()) };
            let Ok(at) = level.names.binary_search_by(|name| order(name, &inner)) else {
                return Ok(());
            };
            level.done = at + 1;
            let (dir, prefix) = (Dir::clone(&level.dir), format!("{}{}/", level.prefix, inner.0));
            if !self.enter(&dir, &inner.0, prefix)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The next file.
    pub(super) fn next(&mut self) -> Result<Option<TreeFile>> {
        while let Some(level) = self.levels.last_mut() {
            let Some((name, is_dir)) = level.names.get(level.done) else {
                self.levels.pop();
                continue;
            };
            level.done += 1;
            let (dir, path) = (Dir::clone(&level.dir), format!("{}{name}", level.prefix));
            if !is_dir {
                let name = level.prefix.len();
                return Ok(Some(TreeFile { path, dir, name }));
            }
            let name = name.clone();
            self.enter(&dir, &name, format!("{path}/"))?;
        }
        Ok(None)
    }

    /// Goes into a directory; `false` if it is not there any more, or not to be entered.
    fn enter(&mut self, dir: &Dir, name: &str, prefix: String) -> Result<bool> {
        match root::open_dir(dir, name) {
            Ok(dir) => self.push(dir, prefix).map(|()| true),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    fn push(&mut self, dir: Dir, prefix: String) -> Result<()> {
        let mut names = root::names(&dir).map_err(failed)?;
        if self.levels.is_empty() {
            names.retain(|(name, _)| name != self.skip);
        }
        names.sort_unstable_by(order);
        self.levels.push(Level { dir, prefix, names, done: 0 });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn paths(tree: &mut Tree) -> Vec<String> {
        std::iter::from_fn(|| tree.next().unwrap()).map(|file| file.path).collect()
    }

    #[test]
    fn directories_count_with_their_slash() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["a/b", "a-b", "a.b", "a0", "b/c/d", "skip/x"] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let mut tree = Tree::new(root::open_root(folder.path()).unwrap(), "", "skip");
        tree.seek("").unwrap();
        assert_eq!(paths(&mut tree), ["a-b", "a.b", "a/b", "a0", "b/c/d"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_seek_finds_the_first_path_that_is_not_less(
            names in proptest::collection::btree_set("[a-c.]{1,2}(/[a-c.]{1,2}){0,2}", 0..12),
            places in proptest::collection::vec("[a-d./]{0,6}", 1..6),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut files = BTreeSet::new();
            for name in &names {
                let path = folder.path().join(name);
                let fits = name.split('/').all(|n| n != "." && n != "..")
                    && std::fs::create_dir_all(path.parent().unwrap()).is_ok()
                    && !path.is_dir()
                    && std::fs::write(&path, "").is_ok();
                if fits {
                    files.insert(name.clone());
                }
            }
            let mut tree = Tree::new(root::open_root(folder.path()).unwrap(), "", ".polycloud");
            for place in places {
                tree.seek(&place).unwrap();
                let expected: Vec<_> = files.range(place..).cloned().collect();
                prop_assert_eq!(paths(&mut tree), expected);
                tree.seek("").unwrap();
            }
        }
    }
}
