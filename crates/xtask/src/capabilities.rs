//! The README's table of backends and capabilities.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use polycloud::capability::{Capabilities, Feature, Support};
use polycloud::local::{LocalCompute, LocalStore, MemoryStore};
use polycloud::{Compute, ObjectStore};

const BEGIN: &str = "<!-- capabilities: begin, made by `cargo xtask capabilities` -->";
const END: &str = "<!-- capabilities: end -->";

/// Writes the table, or checks that it is there.
pub(crate) fn run(root: &Path, check: bool) -> anyhow::Result<()> {
    let path = root.join("README.md");
    let readme = fs::read_to_string(&path)?;
    let expected = with_table(&readme, &tables()?)?;
    if check {
        ensure!(readme == expected, "README.md is out of date: run `cargo xtask capabilities`");
        println!("README.md is up to date");
    } else {
        fs::write(&path, expected)?;
        println!("{}", path.display());
    }
    Ok(())
}

fn with_table(readme: &str, tables: &str) -> anyhow::Result<String> {
    let (before, rest) =
        readme.split_once(BEGIN).context("README.md has no place for the table")?;
    let (_, after) = rest.split_once(END).context("README.md has no end of the table")?;
    Ok(format!("{before}{BEGIN}\n\n{tables}\n{END}{after}"))
}

/// A backend as a column: the scheme of its URLs, and what it declares.
type Column = (&'static str, Capabilities);

fn tables() -> anyhow::Result<String> {
    let dir = tempfile::tempdir()?;
    let stores = [
        ("memory", MemoryStore::new().capabilities().clone()),
        ("file", LocalStore::open(dir.path().join("store"))?.capabilities().clone()),
    ];
    let computes =
        [("local", LocalCompute::open(dir.path().join("compute"))?.capabilities().clone())];
    let (of_computes, of_stores): (Vec<_>, Vec<_>) =
        Feature::ALL.iter().copied().partition(|feature| feature.is_compute());
    let stores = table("object storage", &stores, &of_stores);
    let computes = table("compute", &computes, &of_computes);
    Ok(format!("{stores}\n{computes}"))
}

fn table(title: &str, columns: &[Column], features: &[Feature]) -> String {
    let names: String = columns.iter().map(|(scheme, _)| format!(" `{scheme}:` |")).collect();
    let mut text = format!("| {title} |{names}\n|{}\n", " --- |".repeat(columns.len() + 1));
    for feature in features {
        let cells = columns.iter().map(|(_, declared)| match declared.support(*feature) {
            Support::Unsupported => " – |".to_owned(),
            support => format!(" {support} |"),
        });
        text += &format!("| {feature} |{}\n", cells.collect::<String>());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_tells_what_the_backends_declare() {
        run(&crate::workspace().unwrap(), true).unwrap();
    }

    #[test]
    fn the_table_replaces_what_is_there() {
        let readme = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let once = with_table(&readme, "new\n").unwrap();
        assert_eq!(once, format!("a\n{BEGIN}\n\nnew\n\n{END}\nb\n"));
        assert_eq!(with_table(&once, "new\n").unwrap(), once);
        assert!(with_table("a\nb\n", "new\n").is_err());
    }
}
