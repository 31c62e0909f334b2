//! What a listing has to show, by its definition: without pages, and without skipping anything.

use std::collections::BTreeSet;

use polycloud_core::object::{ListEntry, ListOptions};

/// The names of a listing of these keys in byte order, as [`label`] marks them.
pub(crate) fn listing<'a>(
    keys: impl IntoIterator<Item = &'a str>,
    options: &ListOptions,
) -> Vec<String> {
    let ListOptions { prefix, delimiter, start_after, .. } = options;
    let delimiter = delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    let mut names = Vec::new();
    for key in keys.into_iter().collect::<BTreeSet<_>>() {
        let Some(rest) = key.strip_prefix(prefix.as_str()) else { continue };
        if start_after.as_ref().is_some_and(|after| key <= after.as_str()) {
            continue;
        }
        let name =
            match delimiter.and_then(|delimiter| rest.split_once(delimiter).zip(Some(delimiter))) {
                Some(((head, _), delimiter)) => format!("{prefix}{head}{delimiter}*"),
                None => key.to_owned(),
            };
        if names.last() != Some(&name) {
            names.push(name);
        }
    }
    names
}

/// The name of an entry; that of a common prefix with a `*` behind it.
pub(crate) fn label(entry: &ListEntry) -> String {
    match entry {
        ListEntry::Prefix(prefix) => format!("{prefix}*"),
        other => other.name().to_owned(),
    }
}
