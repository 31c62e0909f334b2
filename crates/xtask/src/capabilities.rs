//! The README's table of backends and capabilities.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use polycloud_core::capability::{Capabilities, Feature, Support};

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

/// A backend: the scheme of its URLs, and what it declares.
type Column<'a> = (&'a str, &'a Capabilities);

fn tables() -> anyhow::Result<String> {
    let harnesses = crate::runtime()?.block_on(polycloud_tests::harnesses())?;
    // Those whose name goes on behind a comma are backends in another set-up.
    let backends: Vec<_> = harnesses.iter().filter(|it| !it.name().contains(',')).collect();
    let stores: Vec<Column<'_>> = backends
        .iter()
        .filter_map(|backend| Some((backend.name(), backend.object_capabilities()?)))
        .collect();
    let computes: Vec<Column<'_>> = backends
        .iter()
        .filter_map(|backend| Some((backend.name(), backend.compute_capabilities()?)))
        .collect();
    let (of_computes, of_stores): (Vec<_>, Vec<_>) =
        Feature::ALL.iter().copied().partition(|feature| feature.is_compute());
    let stores = table("object storage", &stores, &of_stores);
    let computes = table("compute", &computes, &of_computes);
    Ok(format!("{stores}\n{computes}"))
}

fn table(title: &str, columns: &[Column<'_>], features: &[Feature]) -> String {
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
