use polycloud_core::object::{ListEntry, ListOptions, ListPage};
use polycloud_core::page::PageToken;
use polycloud_core::{Error, Result};

use super::fault::Fault;
use super::state::State;

const PAGE: u32 = 1_000;

/// Lists a page: everything is listed, and the page cut out.
pub(crate) fn page(
    state: &State,
    options: &ListOptions,
    token: Option<&PageToken>,
    fault: Option<Fault>,
) -> Result<ListPage> {
    let size = options.page_size.unwrap_or(PAGE).clamp(1, PAGE) as usize;
    let entries = grouped(everything(state, options, fault), options, fault);
    let start = match token {
        None => 0,
        Some(token) => start(&entries, token, fault)?,
    };
    let start = start.min(entries.len());
    let end = (start + size).min(entries.len());
    let next = (end < entries.len()).then(|| match fault {
        Some(Fault::PageByPosition) => PageToken::new(format!("{end}:")),
        _ => token_of(&entries[end - 1]),
    });
    Ok(ListPage::new(entries[start..end].to_vec(), next))
}

/// Where an entry stands: behind its name, newer versions come first.
fn token_of(entry: &ListEntry) -> PageToken {
    let version = match entry {
        ListEntry::Object(meta) => meta.revision.version.as_ref(),
        ListEntry::DeleteMarker(marker) => Some(&marker.version),
        _ => None,
    };
    let version = version.map_or("", |version| version.as_str());
    PageToken::new(format!("{}:{}{version}", entry.name().len(), entry.name()))
}

fn start(entries: &[ListEntry], token: &PageToken, fault: Option<Fault>) -> Result<usize> {
    let bad = || Error::invalid("not a token of this store");
    let (len, rest) = token.as_str().split_once(':').ok_or_else(bad)?;
    let len: usize = len.parse().map_err(|_| bad())?;
    if fault == Some(Fault::PageByPosition) {
        return Ok(len);
    }
    let (name, version) = rest.split_at_checked(len).ok_or_else(bad)?;
    let behind = |entry: &ListEntry| {
        let own = token_of(entry);
        let own = &own.as_str()[entry.name().len().to_string().len() + 1 + entry.name().len()..];
        entry.name() > name || (entry.name() == name && own < version)
    };
    let at = entries.iter().position(behind).unwrap_or(entries.len());
    Ok(match fault {
        Some(Fault::PageSkipsOne) => at + 1,
        Some(Fault::PageRepeatsOne) => at - 1,
        _ => at,
    })
}

fn everything(state: &State, options: &ListOptions, fault: Option<Fault>) -> Vec<ListEntry> {
    let mut entries = Vec::new();
    for (key, versions) in &state.keys {
        let newest_first = versions.iter().rev().enumerate();
        let all = newest_first.map(|(age, version)| version.entry(age == 0));
        let shown = all
            .take(if options.versions { usize::MAX } else { 1 })
            .filter(|entry| options.versions || matches!(entry, ListEntry::Object(_)));
        let start = options.start_after.as_ref().is_none_or(|after| key.as_str() > after.as_str());
        let segment = match fault {
            Some(Fault::PrefixBySegment) => {
                options.prefix.is_empty() || options.prefix.ends_with('/')
            }
            _ => true,
        };
        if start && segment && key.starts_with(options.prefix.as_str()) {
            entries.extend(shown);
        }
    }
    entries.extend(state.ghosts.values().cloned().map(ListEntry::Object));
    for entry in &mut entries {
        if let ListEntry::Object(meta) = entry {
            if !options.attributes {
                meta.attributes = None;
            }
            if !options.tags {
                meta.tags = None;
            }
        }
    }
    if fault == Some(Fault::Unordered) {
        entries.reverse();
    }
    entries
}

fn grouped(entries: Vec<ListEntry>, options: &ListOptions, fault: Option<Fault>) -> Vec<ListEntry> {
    let delimiter = options.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    let Some(delimiter) = delimiter else { return entries };
    let mut lines = Vec::<ListEntry>::new();
    for entry in entries {
        let name = entry.name();
        let line = match name[options.prefix.len()..].find(delimiter) {
            Some(at) => {
                let end = options.prefix.len() + at + delimiter.len();
                ListEntry::Prefix(name[..end].to_owned())
            }
            None => entry,
        };
        let repeated = matches!(line, ListEntry::Prefix(_)) && lines.last() == Some(&line);
        if !repeated || fault == Some(Fault::GroupsRepeated) {
            lines.push(line);
        }
    }
    lines
}
