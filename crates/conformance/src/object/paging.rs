//! Listings page by page, and what changes meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use polycloud_core::ErrorKind;
use polycloud_core::object::{ListOptions, ListPage};
use polycloud_core::page::PageToken;

use super::kit::{Step, Store, delete, lists, put, put_all, put_many};
use crate::case::{CaseResult, Failure, cases, ensure, ensure_eq};
use crate::expect::expect_kind;
use crate::listing::{label, listing};

/// Keys with folders, bare slashes, and names that order around the slash.
const TREE: &[&str] = &[
    "a", "a-b", "a/", "a/b", "a/b/c", "a/b/d", "a/c", "a//d", "a0", "b/1", "b/2", "b/3", "c",
    "d/e/f/g", "é/a", "é/b", "ü",
];

/// A listing that has not come to its end.
struct Pages<'a> {
    store: &'a Store,
    options: ListOptions,
    next: Option<PageToken>,
    /// Every name so far, in the order in which it came.
    names: Vec<String>,
    done: bool,
}

impl<'a> Pages<'a> {
    fn new(store: &'a Store, options: ListOptions) -> Self {
        Self { store, options, next: None, names: Vec::new(), done: false }
    }

    /// Fetches a page, and fails if it is larger than it was asked for.
    async fn next(&mut self) -> CaseResult {
        let page = self.store.list_page(&self.options, self.next.as_ref()).await?;
        let most = self.options.page_size.unwrap_or(u32::MAX).max(1);
        let count = page.entries.len();
        ensure!(count as u64 <= u64::from(most), "a page of {count} entries, asked for {most}");
        self.names.extend(page.entries.iter().map(label));
        self.done = page.next.is_none();
        self.next = page.next;
        Ok(())
    }

    /// Fetches all further pages, and returns the names of all pages.
    async fn rest(mut self) -> Step<Vec<String>> {
        let mut budget = 20_000;
        while !self.done {
            self.next().await?;
            budget -= 1;
            ensure!(budget > 0, "the listing does not end");
        }
        Ok(self.names)
    }
}

/// Fails unless the pages of a listing add up to what the keys make.
async fn adds_up(store: &Store, keys: &[&str], options: ListOptions) -> CaseResult {
    let expected = listing(keys.iter().copied(), &options);
    let mut names = Pages::new(store, options.clone()).rest().await?;
    if !store.capabilities().list_ordered {
        names.sort();
    }
    ensure_eq!(names, expected, "{options:?}");
    Ok(())
}

/// Fails unless each stable name was listed once and every other at most once.
fn exactly_once(names: &[String], stable: &[String]) -> CaseResult {
    let mut counts = BTreeMap::<&str, u32>::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    for name in stable {
        ensure_eq!(counts.get(name.as_str()).copied().unwrap_or(0), 1, "times {name:?} was listed");
    }
    let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    ensure!(twice.is_empty(), "listed more than once: {twice:?}");
    Ok(())
}

/// `count` names in byte order.
fn numbered(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number:05}")).collect()
}

async fn first_page(store: &Store, options: &ListOptions) -> Step<(ListPage, PageToken)> {
    let page = store.list_page(options, None).await?;
    let next = page.next.clone().ok_or_else(|| Failure::new("there is no second page"))?;
    Ok((page, next))
}

cases! {
    Store, "paging";

    /// Pages of any size add up to the listing, with any prefix, grouped or not.
    async fn sizes_add_up(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, TREE).await?;
        for size in [1_u32, 2, 7, 17, 1000] {
            for prefix in ["", "a", "a/", "a/b", "b/", "é", "z"] {
                for delimiter in ["", "/"] {
                    let options = ListOptions::prefix(prefix).with_delimiter(delimiter);
                    adds_up(&*store, TREE, options.with_page_size(size)).await?;
                }
            }
        }
        Ok(())
    }

    /// Pages of any size add up to the listing, wherever it starts.
    #[needs(ListStartAfter)]
    async fn sizes_add_up_behind_a_start(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, TREE).await?;
        for size in [1_u32, 2, 7] {
            for start in ["!", "a", "a/", "a/b", "a/b/z", "b/2", "ü"] {
                for (prefix, delimiter) in [("", ""), ("", "/"), ("a/", ""), ("a/", "/")] {
                    let options = ListOptions::prefix(prefix).with_delimiter(delimiter);
                    let options = options.with_start_after(start).with_page_size(size);
                    adds_up(&*store, TREE, options).await?;
                }
            }
        }
        Ok(())
    }

    /// Pages of any size add up to the listing, whatever the delimiter.
    #[needs(ListDelimiter)]
    async fn sizes_add_up_with_any_delimiter(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, TREE).await?;
        for size in [1_u32, 2, 7] {
            for delimiter in ["b", "-", "é/", "//", "/b/"] {
                let options = ListOptions::default().with_delimiter(delimiter);
                adds_up(&*store, TREE, options.with_page_size(size)).await?;
            }
        }
        Ok(())
    }

    /// A listing whose last page is full ends there.
    async fn last_page_is_full(context: Context) -> CaseResult {
        let store = context.store().await?;
        let names = ["a", "b/c", "b/d", "e", "f/g"];
        put_all(&*store, &names).await?;
        for (size, delimiter) in [(5_u32, ""), (4, "/"), (2, "/"), (1, "/"), (1, "")] {
            let options = ListOptions::default().with_delimiter(delimiter).with_page_size(size);
            adds_up(&*store, &names, options).await?;
        }
        Ok(())
    }

    /// Thousands of objects in groups make as many entries as there are groups.
    async fn thousands_in_groups(context: Context) -> CaseResult {
        let store = context.store().await?;
        let names: Vec<_> = (0..2_500).map(|n| format!("g{:02}/{n:05}", n % 25)).collect();
        put_many(&*store, names).await?;
        let expected: Vec<_> = (0..25).map(|group| format!("g{group:02}/*")).collect();
        for size in [1_u32, 4, 1_000] {
            let options = ListOptions::default().with_delimiter("/").with_page_size(size);
            let mut listed = Pages::new(&*store, options).rest().await?;
            listed.sort();
            ensure_eq!(listed, expected, "pages of {size}");
        }
        Ok(())
    }

    /// A group is shown once, even if it is the end of one page and goes on behind it.
    async fn group_at_the_end_of_a_page(context: Context) -> CaseResult {
        let store = context.store().await?;
        let names = ["a", "b/1", "b/2", "b/3", "b/4", "c/1", "c/2", "d"];
        put_all(&*store, &names).await?;
        for size in 1..=4_u32 {
            let options = ListOptions::default().with_delimiter("/").with_page_size(size);
            adds_up(&*store, &names, options).await?;
        }
        Ok(())
    }

    /// Listings that take turns do not disturb each other.
    async fn listings_in_turns(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, TREE).await?;
        let options = |prefix: &str, size: u32| ListOptions::prefix(prefix).with_page_size(size);
        let mut all = [options("", 1), options("", 2), options("a", 1), options("", 1)]
            .map(|options| Pages::new(&*store, options));
        for _ in 0..3 {
            for pages in &mut all {
                pages.next().await?;
            }
        }
        for pages in all {
            let expected = listing(TREE.iter().copied(), &pages.options);
            let mut names = pages.rest().await?;
            names.sort();
            ensure_eq!(names, expected);
        }
        Ok(())
    }

    /// A token from a listing of another prefix is an invalid argument, or does no harm: nothing is
    /// listed that does not have the prefix.
    async fn token_of_another_prefix(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, &["a/1", "a/2", "a/3", "b/1", "b/2"]).await?;
        let (a, b) = (ListOptions::prefix("a/"), ListOptions::prefix("b/"));
        let (_, token) = first_page(&*store, &a.with_page_size(1_u32)).await?;
        match store.list_page(&b.with_page_size(5_u32), Some(&token)).await {
            Ok(page) => {
                let names: Vec<_> = page.entries.iter().map(label).collect();
                let foreign = names.iter().any(|name| !name.starts_with("b/"));
                ensure!(!foreign, "the listing of b/ shows {names:?}");
            }
            result => drop(expect_kind(result, ErrorKind::InvalidArgument)?),
        }
        Ok(())
    }

    /// A listing goes on although the last object of its page is deleted.
    async fn last_of_page_deleted(context: Context) -> CaseResult {
        let (store, names) = (context.store().await?, ["a", "a/b", "b/c", "b/d", "c", "d/e"]);
        for delimiter in ["", "/"] {
            put_all(&*store, &names).await?;
            let options = ListOptions::default().with_delimiter(delimiter).with_page_size(1_u32);
            let expected = listing(names, &options);
            let mut pages = Pages::new(&*store, options);
            while !pages.done {
                pages.next().await?;
                let last = pages.names.last().cloned().unwrap_or_default();
                let last = last.trim_end_matches('*');
                for name in names.iter().filter(|name| name.starts_with(last)) {
                    if *name == last || last.ends_with('/') {
                        delete(&*store, name).await?;
                    }
                }
            }
            ensure_eq!(pages.names, expected, "grouped by {delimiter:?}");
            lists(&*store, &[]).await?;
        }
        Ok(())
    }

    /// A listing of a bucket that is emptied meanwhile ends.
    async fn emptied_meanwhile(context: Context) -> CaseResult {
        let (store, names) = (context.store().await?, numbered("k", 10));
        put_many(&*store, names.clone()).await?;
        let mut pages = Pages::new(&*store, ListOptions::default().with_page_size(3_u32));
        pages.next().await?;
        for name in &names {
            delete(&*store, name).await?;
        }
        let before = pages.names.clone();
        ensure_eq!(pages.rest().await?, before);
        Ok(())
    }

    /// A group that grows after it was shown is not shown again.
    async fn group_grows_meanwhile(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, &["a/1", "b/1", "c/1"]).await?;
        let options = ListOptions::default().with_delimiter("/").with_page_size(1_u32);
        let mut pages = Pages::new(&*store, options);
        for number in 2..5 {
            pages.next().await?;
            for group in ["a", "b", "c"] {
                put(&*store, &format!("{group}/{number}"), "").await?;
            }
        }
        let mut names = pages.rest().await?;
        names.sort();
        ensure_eq!(names, ["a/*", "b/*", "c/*"]);
        Ok(())
    }

    /// While others write and delete, every object that stays is listed exactly once, time after time.
    async fn written_meanwhile(context: Context) -> CaseResult {
        let (store, stable) = (context.store().await?, numbered("s/", 60));
        put_many(&*store, stable.clone()).await?;
        let writer = Arc::clone(&store);
        let churn = async move {
            for round in 0..40 {
                for name in ["a", "s/00010x", "s/00030/y", "s/00059z", "t"] {
                    let name = format!("{name}{}", round % 3);
                    put(&*writer, &name, "x").await?;
                    put(&*writer, "s/00020", "x").await?;
                    delete(&*writer, &name).await?;
                }
            }
            Ok::<_, Failure>(())
        };
        let reader = Arc::clone(&store);
        let expected: BTreeSet<_> = stable.iter().cloned().collect();
        let lists = async move {
            for size in [7_u32, 1, 20, 5, 1_000, 3].repeat(3) {
                let options = ListOptions::default().with_page_size(size);
                let names = Pages::new(&*reader, options).rest().await?;
                let kept: Vec<_> = names.into_iter().filter(|n| expected.contains(n)).collect();
                exactly_once(&kept, &stable)?;
            }
            Ok::<_, Failure>(())
        };
        let (churn, lists) = futures::join!(tokio::spawn(churn), tokio::spawn(lists));
        for result in [churn, lists] {
            result.map_err(|error| Failure::new(crate::expect::panic_message(error)))??;
        }
        Ok(())
    }
}
