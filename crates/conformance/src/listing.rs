//! What a listing has to show, by its definition: without pages, and without skipping anything.

use std::collections::BTreeSet;

use polycloud_core::object::{ListEntry, ListOptions};

/// The names of a listing of these keys in byte order, as [`label`] marks them.
pub(crate) fn listing<'a>(
    keys: impl IntoIterator<Item = &'a str>,
    options: &ListOptions,
) -> Vec<String> {
    let keys: BTreeSet<_> = keys.into_iter().collect();
    let mut names: Vec<_> = keys.into_iter().filter_map(|key| label_of(key, options)).collect();
    names.dedup();
    names
}

/// Under which name a listing shows a key, as [`label`] marks it; `None` if it does not.
pub(crate) fn label_of(key: &str, options: &ListOptions) -> Option<String> {
    let ListOptions { prefix, delimiter, start_after, .. } = options;
    let rest = key.strip_prefix(prefix.as_str())?;
    if start_after.as_ref().is_some_and(|after| key <= after.as_str()) {
        return None;
    }
    let delimiter = delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    let group = delimiter.and_then(|delimiter| {
        let (head, _) = rest.split_once(delimiter)?;
        Some(format!("{prefix}{head}{delimiter}*"))
    });
    Some(group.unwrap_or_else(|| key.to_owned()))
}

/// The name of an entry; that of a common prefix with a `*` behind it.
pub(crate) fn label(entry: &ListEntry) -> String {
    match entry {
        ListEntry::Prefix(prefix) => format!("{prefix}*"),
        other => other.name().to_owned(),
    }
}
