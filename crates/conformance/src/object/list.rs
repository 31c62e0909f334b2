//! Listing objects.

use std::collections::BTreeSet;

use polycloud_core::ErrorKind;
use polycloud_core::object::{Key, ListEntry, ListOptions, PutOptions};
use polycloud_core::page::PageToken;

use super::kit::{
    Step, Store, content, delete, entries, head, key, lists, metadata, metadata_of, names, objects,
    put, put_all, put_many, same, tags, tags_of, upload,
};
use crate::case::{CaseResult, Failure, cases, ensure, ensure_eq};
use crate::expect::expect_kind;

/// A small tree that most cases list.
const TREE: &[&str] = &["a", "a.txt", "a/1", "a/2", "a/b/3", "ab", "b/1", "b/c/d/2", "c"];

/// Fails unless a listing of the tree yields these names, whatever the page size.
async fn tree_lists(store: &Store, options: ListOptions, expected: &[&str]) -> CaseResult {
    put_all(store, TREE).await?;
    ensure_eq!(names(store, &options).await?, expected, "{options:?}");
    for size in [1_u32, 2, 3, 5] {
        let options = options.clone().with_page_size(size);
        ensure_eq!(names(store, &options).await?, expected, "{options:?}");
    }
    Ok(())
}

fn under(prefix: &str) -> ListOptions {
    ListOptions::prefix(prefix)
}

/// 2,500 names: more than two of the largest pages, in and beside directories.
fn many() -> Vec<String> {
    (0..2_500).map(|number| format!("d{}/k{number:04}", number % 3)).collect()
}

/// Takes one page.
async fn page(
    store: &Store,
    options: &ListOptions,
    token: Option<&PageToken>,
) -> Step<(Vec<String>, Option<PageToken>)> {
    let page = store.list_page(options, token).await?;
    Ok((page.entries.iter().map(|entry| entry.name().to_owned()).collect(), page.next))
}

cases! {
    Store, "list";

    /// A listing without options yields every key.
    async fn everything(context: Context) -> CaseResult {
        let store = context.store().await?;
        tree_lists(&*store, ListOptions::default(), TREE).await
    }

    /// Names are ordered by their bytes, where the backend orders them, and not by letters or segments.
    async fn byte_order(context: Context) -> CaseResult {
        let store = context.store().await?;
        let expected = [
            "a",
            "a b",
            "a!",
            "a-b",
            "a.b",
            "a/",
            "a/b",
            "a0",
            "aB",
            "a_",
            "ab",
            "a~",
            "a\u{e9}",
            "a\u{ffff}",
            "a\u{10000}",
            "b",
        ];
        let mut shuffled = expected;
        shuffled.reverse();
        shuffled.rotate_left(5);
        put_all(&*store, &shuffled).await?;
        ensure_eq!(names(&*store, &ListOptions::default()).await?, expected);
        Ok(())
    }

    /// A prefix restricts a listing to the keys that begin with it.
    async fn prefix(context: Context) -> CaseResult {
        let store = context.store().await?;
        tree_lists(&*store, under("a/"), &["a/1", "a/2", "a/b/3"]).await
    }

    /// A prefix need not end at a slash.
    async fn partial_prefix(context: Context) -> CaseResult {
        let store = context.store().await?;
        let expected = ["a", "a.txt", "a/1", "a/2", "a/b/3", "ab"];
        tree_lists(&*store, under("a"), &expected).await?;
        tree_lists(&*store, under("b/c/d"), &["b/c/d/2"]).await
    }

    /// A prefix that is a whole key lists that key and the longer ones.
    async fn prefix_is_a_key(context: Context) -> CaseResult {
        let store = context.store().await?;
        tree_lists(&*store, under("a/1"), &["a/1"]).await?;
        tree_lists(&*store, under("c"), &["c"]).await
    }

    /// A prefix that no key begins with yields an empty listing.
    async fn prefix_of_nothing(context: Context) -> CaseResult {
        let store = context.store().await?;
        for prefix in ["x", "a/1/", "/", "A", "a//", "c/", " "] {
            tree_lists(&*store, under(prefix), &[]).await?;
        }
        Ok(())
    }

    /// The delimiter groups keys at the first one behind the prefix.
    async fn delimiter(context: Context) -> CaseResult {
        let store = context.store().await?;
        let options = ListOptions::default().with_delimiter("/");
        tree_lists(&*store, options, &["a", "a.txt", "a/*", "ab", "b/*", "c"]).await
    }

    /// Prefix and delimiter together list one directory.
    async fn delimiter_under_prefix(context: Context) -> CaseResult {
        let store = context.store().await?;
        let options = under("a/").with_delimiter("/");
        tree_lists(&*store, options, &["a/1", "a/2", "a/b/*"]).await?;
        tree_lists(&*store, under("b/").with_delimiter("/"), &["b/1", "b/c/*"]).await
    }

    /// A prefix without its slash lists the directory as a group, beside the keys that share the text.
    async fn delimiter_under_partial_prefix(context: Context) -> CaseResult {
        let store = context.store().await?;
        let options = under("a").with_delimiter("/");
        tree_lists(&*store, options, &["a", "a.txt", "a/*", "ab"]).await
    }

    /// A group is listed once, however many keys and pages it spans.
    async fn group_once(context: Context) -> CaseResult {
        let store = context.store().await?;
        let mut keys: Vec<_> = (0..40).map(|number| format!("g/{number:02}")).collect();
        keys.extend(["f".to_owned(), "h".to_owned()]);
        put_many(&*store, keys).await?;
        for size in [1_u32, 2, 7, 1_000] {
            let options = ListOptions::default().with_delimiter("/").with_page_size(size);
            ensure_eq!(names(&*store, &options).await?, ["f", "g/*", "h"], "pages of {size}");
        }
        Ok(())
    }

    /// Slashes in a row make groups of their own.
    async fn groups_of_slashes(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, &["/a", "//b", "x//y", "x/y", "x//"]).await?;
        let options = |prefix| under(prefix).with_delimiter("/");
        ensure_eq!(names(&*store, &options("")).await?, ["/*", "x/*"]);
        ensure_eq!(names(&*store, &options("/")).await?, ["//*", "/a"]);
        ensure_eq!(names(&*store, &options("x/")).await?, ["x//*", "x/y"]);
        ensure_eq!(names(&*store, &options("x//")).await?, ["x//", "x//y"]);
        Ok(())
    }

    /// A key that ends with a slash is an object of its directory's listing and a group of its parent's.
    async fn directory_marker(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, &["dir/", "dir/file", "other"]).await?;
        let options = |prefix| under(prefix).with_delimiter("/");
        ensure_eq!(names(&*store, &options("")).await?, ["dir/*", "other"]);
        ensure_eq!(names(&*store, &options("dir/")).await?, ["dir/", "dir/file"]);
        ensure_eq!(names(&*store, &ListOptions::default()).await?, ["dir/", "dir/file", "other"]);
        Ok(())
    }

    /// A delimiter other than a slash groups just the same.
    #[needs(ListDelimiter)]
    async fn other_delimiter(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, &["a-1", "a-2", "a/b-3", "b", "c-", "d--e"]).await?;
        let options = |prefix| under(prefix).with_delimiter("-");
        ensure_eq!(names(&*store, &options("")).await?, ["a-*", "a/b-*", "b", "c-*", "d-*"]);
        ensure_eq!(names(&*store, &options("a-")).await?, ["a-1", "a-2"]);
        ensure_eq!(names(&*store, &options("d-")).await?, ["d--*"]);
        Ok(())
    }

    /// A delimiter can have several characters.
    #[needs(ListDelimiter)]
    async fn long_delimiter(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, &["1abc2", "1abc3", "1ab4", "abcabc", "é☺é", "é☺x"]).await?;
        let options = ListOptions::default().with_delimiter("abc");
        let expected = ["1ab4", "1abc*", "abc*", "é☺x", "é☺é"];
        ensure_eq!(names(&*store, &options).await?, expected);
        let options = ListOptions::default().with_delimiter("☺");
        let expected = ["1ab4", "1abc2", "1abc3", "abcabc", "é☺*"];
        ensure_eq!(names(&*store, &options).await?, expected);
        Ok(())
    }

    /// A delimiter is looked for behind the prefix only, not across its end.
    #[needs(ListDelimiter)]
    async fn delimiter_across_prefix(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, &["a--b", "a--b--c", "a-b"]).await?;
        let options = under("a-").with_delimiter("--");
        ensure_eq!(names(&*store, &options).await?, ["a--b", "a--b--*", "a-b"]);
        Ok(())
    }

    /// An empty delimiter groups nothing.
    async fn empty_delimiter(context: Context) -> CaseResult {
        let store = context.store().await?;
        tree_lists(&*store, ListOptions::default().with_delimiter(""), TREE).await
    }

    /// A listing starts behind a key that is there, and leaves that key out.
    #[needs(ListStartAfter)]
    async fn start_after_key(context: Context) -> CaseResult {
        let store = context.store().await?;
        let options = ListOptions::default().with_start_after("a/2");
        tree_lists(&*store, options, &["a/b/3", "ab", "b/1", "b/c/d/2", "c"]).await
    }

    /// A listing starts behind a key that is not there.
    #[needs(ListStartAfter)]
    async fn start_after_missing(context: Context) -> CaseResult {
        let store = context.store().await?;
        let options = ListOptions::default().with_start_after("a/3");
        tree_lists(&*store, options, &["a/b/3", "ab", "b/1", "b/c/d/2", "c"]).await
    }

    /// Starting behind the last key yields nothing, and before the first one everything.
    #[needs(ListStartAfter)]
    async fn start_after_the_ends(context: Context) -> CaseResult {
        let store = context.store().await?;
        tree_lists(&*store, ListOptions::default().with_start_after("c"), &[]).await?;
        tree_lists(&*store, ListOptions::default().with_start_after("zzz"), &[]).await?;
        tree_lists(&*store, ListOptions::default().with_start_after("Z"), TREE).await
    }

    /// A start within a prefix, before it or behind it restricts further.
    #[needs(ListStartAfter)]
    async fn start_after_under_prefix(context: Context) -> CaseResult {
        let store = context.store().await?;
        let options = |after: &str| under("a/").with_start_after(after);
        tree_lists(&*store, options("a/1"), &["a/2", "a/b/3"]).await?;
        tree_lists(&*store, options("a"), &["a/1", "a/2", "a/b/3"]).await?;
        tree_lists(&*store, options("b"), &[]).await
    }

    /// A group is listed if one of its keys lies behind the start.
    #[needs(ListStartAfter)]
    async fn start_after_within_group(context: Context) -> CaseResult {
        let store = context.store().await?;
        let options =
            |after: &str| ListOptions::default().with_delimiter("/").with_start_after(after);
        tree_lists(&*store, options("a/1"), &["a/*", "ab", "b/*", "c"]).await?;
        tree_lists(&*store, options("a/"), &["a/*", "ab", "b/*", "c"]).await?;
        tree_lists(&*store, options("a/b/3"), &["ab", "b/*", "c"]).await
    }

    /// A page has no more entries than were asked for.
    async fn page_size(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, TREE).await?;
        for delimiter in ["", "/"] {
            for size in 1..=10_u32 {
                let options = ListOptions::default().with_delimiter(delimiter).with_page_size(size);
                let mut token = None;
                loop {
                    let (names, next) = page(&*store, &options, token.as_ref()).await?;
                    ensure!(names.len() <= size as usize, "{} entries of {size}", names.len());
                    let Some(next) = next else { break };
                    token = Some(next);
                }
            }
        }
        Ok(())
    }

    /// A page size of zero counts as one.
    async fn page_size_zero(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, &["a", "b", "c"]).await?;
        let options = ListOptions::default().with_page_size(0_u32);
        let (first, next) = page(&*store, &options, None).await?;
        ensure!(first.len() <= 1 && next.is_some(), "{first:?}, then {next:?}");
        ensure_eq!(names(&*store, &options).await?, ["a", "b", "c"]);
        Ok(())
    }

    /// A page size above the provider's own counts as that.
    async fn page_size_huge(context: Context) -> CaseResult {
        let store = context.store().await?;
        tree_lists(&*store, ListOptions::default().with_page_size(u32::MAX), TREE).await
    }

    /// 2,500 keys are listed in pages, each key once.
    async fn many_keys(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_many(&*store, many()).await?;
        let mut expected = many();
        expected.sort_unstable();
        ensure_eq!(names(&*store, &ListOptions::default()).await?, expected);
        let few = ListOptions::default().with_page_size(333_u32);
        ensure_eq!(names(&*store, &few).await?, expected);
        Ok(())
    }

    /// Prefix, delimiter and start work across many pages.
    #[needs(ListStartAfter)]
    async fn many_keys_with_options(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_many(&*store, many()).await?;
        let groups = ListOptions::default().with_delimiter("/");
        ensure_eq!(names(&*store, &groups).await?, ["d0/*", "d1/*", "d2/*"]);
        let mut expected: Vec<_> =
            many().into_iter().filter(|name| name.starts_with("d1/k1")).collect();
        expected.sort_unstable();
        let options = under("d1/k1").with_page_size(100_u32);
        ensure_eq!(names(&*store, &options).await?, expected);
        let expected: Vec<_> =
            expected.into_iter().filter(|name| name.as_str() > "d1/k15").collect();
        let options = options.with_start_after("d1/k15").with_delimiter("/");
        ensure_eq!(names(&*store, &options).await?, expected);
        Ok(())
    }

    /// Keys that are there during the whole listing are listed once, while others come and go.
    async fn changes_while_paging(context: Context) -> CaseResult {
        let store = context.store().await?;
        let stay: BTreeSet<_> = (0..60).map(|number| format!("k{number:02}")).collect();
        let go: Vec<_> = stay.iter().map(|name| format!("{name}-goes")).collect();
        put_many(&*store, stay.iter().chain(&go).cloned().collect()).await?;
        let options = ListOptions::default().with_page_size(7_u32);
        let (mut seen, mut token, mut round) = (Vec::new(), None, 0);
        loop {
            let (names, next) = page(&*store, &options, token.as_ref()).await?;
            seen.extend(names);
            let Some(next) = next else { break };
            token = Some(next);
            for name in go.iter().skip(round * 4).take(4) {
                delete(&*store, name).await?;
                put(&*store, &format!("{name}-comes"), "x").await?;
            }
            // Also the key that the token may have been made of.
            if let Some(name) = seen.last().filter(|name| !stay.contains(*name)) {
                delete(&*store, name).await?;
            }
            round += 1;
        }
        let distinct: BTreeSet<_> = seen.iter().cloned().collect();
        ensure_eq!(distinct.len(), seen.len(), "a key was listed twice");
        let missed: Vec<_> = stay.difference(&distinct).collect();
        ensure!(missed.is_empty(), "never listed: {missed:?}");
        Ok(())
    }

    /// A bucket can be emptied while it is listed.
    async fn delete_while_paging(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_many(&*store, (0..50).map(|number| format!("d{}/{number}", number % 4)).collect())
            .await?;
        let options = ListOptions::default().with_page_size(8_u32);
        let mut token = None;
        loop {
            let (names, next) = page(&*store, &options, token.as_ref()).await?;
            for name in &names {
                delete(&*store, name).await?;
            }
            let Some(next) = next else { break };
            token = Some(next);
        }
        lists(&*store, &[]).await
    }

    /// A token can be used again, and by someone else who has the same listing.
    async fn token_is_reusable(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, TREE).await?;
        let options = ListOptions::default().with_page_size(4_u32);
        let (_, next) = page(&*store, &options, None).await?;
        let token = next.ok_or_else(|| Failure::new("four of nine keys end the listing"))?;
        let copied = PageToken::new(token.as_str());
        let once = page(&*store, &options, Some(&token)).await?;
        let again = page(&*store, &options, Some(&copied)).await?;
        ensure_eq!(once.0, again.0);
        Ok(())
    }

    /// A token that is not from a listing is invalid.
    async fn foreign_token(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, TREE).await?;
        let token = PageToken::new("conformance: no such token");
        let result = store.list_page(&ListOptions::default(), Some(&token)).await;
        expect_kind(result, ErrorKind::InvalidArgument)?;
        Ok(())
    }

    /// The last page has no token.
    async fn last_page(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, &["a", "b"]).await?;
        let (names, next) = page(&*store, &ListOptions::default(), None).await?;
        ensure_eq!(names, ["a", "b"]);
        ensure_eq!(next, None);
        Ok(())
    }

    /// Entries have the size, time and revision that a head shows.
    async fn entries_like_head(context: Context) -> CaseResult {
        let store = context.store().await?;
        for (number, name) in ["a", "b/c", "d"].into_iter().enumerate() {
            put(&*store, name, content(number * 1_000)).await?;
        }
        let listed = objects(&*store, &ListOptions::default()).await?;
        ensure_eq!(listed.len(), 3);
        for meta in listed {
            let seen = head(&*store, &meta.key).await?;
            ensure_eq!(meta.size, seen.size, "the size of {}", meta.key);
            ensure!(meta.is_latest == Some(true), "{} is not the latest", meta.key);
            let apart = meta.last_modified.duration_since(seen.last_modified);
            let apart = apart.unwrap_or_else(|behind| behind.duration());
            ensure!(apart.as_secs() <= 1, "listed and read times are {apart:?} apart");
            same(&meta.revision, &seen.revision)?;
        }
        Ok(())
    }

    /// Entries carry HTTP headers and user metadata if they are asked for.
    #[needs(ListAttributes, Attributes, Metadata)]
    async fn with_attributes(context: Context) -> CaseResult {
        let store = context.store().await?;
        let attributes = metadata(&[("color", "grün")])?.with_content_language("de")?;
        let options = PutOptions::default().with_attributes(attributes);
        store.put(&key("k")?, "x".into(), &options).await?;
        put(&*store, "plain", "x").await?;
        let listed = objects(&*store, &ListOptions::default().with_attributes(true)).await?;
        let (Some(first), Some(second)) = (listed.first(), listed.get(1)) else {
            return Err(Failure::new("two objects were not listed"));
        };
        ensure_eq!(metadata_of(first)?, [("color", "grün")]);
        let language = first.attributes.as_ref().and_then(|it| it.content_language());
        ensure_eq!(language, Some("de"));
        ensure_eq!(metadata_of(second)?, []);
        Ok(())
    }

    /// Entries carry tags if they are asked for.
    #[needs(ListTags, Tags)]
    async fn with_tags(context: Context) -> CaseResult {
        let store = context.store().await?;
        let options = PutOptions::default().with_tags(tags(&[("color", "green")])?);
        store.put(&key("k")?, "x".into(), &options).await?;
        put(&*store, "plain", "x").await?;
        let listed = objects(&*store, &ListOptions::default().with_tags(true)).await?;
        let (Some(first), Some(second)) = (listed.first(), listed.get(1)) else {
            return Err(Failure::new("two objects were not listed"));
        };
        ensure_eq!(tags_of(first)?, [("color", "green")]);
        ensure_eq!(tags_of(second)?, []);
        Ok(())
    }

    /// Without versions there are no delete markers, and each key is listed once.
    async fn no_markers(context: Context) -> CaseResult {
        let store = context.store().await?;
        for round in ["one", "two", "three"] {
            put(&*store, "k", round).await?;
        }
        put(&*store, "gone", "x").await?;
        delete(&*store, "gone").await?;
        let listed = entries(&*store, &ListOptions::default()).await?;
        let plain = listed.iter().all(|entry| matches!(entry, ListEntry::Object(_)));
        ensure!(plain && listed.len() == 1, "{listed:?}");
        Ok(())
    }

    /// An overwritten, copied or uploaded object is listed as it is now.
    async fn listed_as_it_is(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", content(10)).await?;
        put(&*store, "k", content(20)).await?;
        super::kit::copy(&*store, "k", "copy").await?;
        upload(&*store, "up", [content(30)], &Default::default()).await?;
        let listed = objects(&*store, &ListOptions::default()).await?;
        let sizes: Vec<_> = listed.iter().map(|meta| (meta.key.as_str(), meta.size)).collect();
        ensure_eq!(sizes, [("copy", 20), ("k", 20), ("up", 30)]);
        Ok(())
    }

    /// The listing of a directory that lost its last object is empty, and its parent has no group for it.
    async fn emptied_directory(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, &["a/b/c/d", "e"]).await?;
        delete(&*store, "a/b/c/d").await?;
        let options = ListOptions::default().with_delimiter("/");
        ensure_eq!(names(&*store, &options).await?, ["e"]);
        ensure_eq!(names(&*store, &under("a/")).await?, Vec::<String>::new());
        Ok(())
    }

    /// Deep keys are listed, and found by every part of their path.
    async fn deep(context: Context) -> CaseResult {
        let store = context.store().await?;
        let deep = vec!["d"; Key::MAX_BYTES / 2].join("/");
        put(&*store, &deep, "x").await?;
        for cut in [1, 2, 255, 256, 1_000, deep.len()] {
            let prefix = deep.get(..cut).unwrap_or_default();
            let listed = names(&*store, &under(prefix)).await?;
            ensure_eq!(listed, [deep.as_str()], "under {cut} bytes");
        }
        let options = under("d/d/").with_delimiter("/");
        ensure_eq!(names(&*store, &options).await?, ["d/d/d/*"]);
        Ok(())
    }
}
