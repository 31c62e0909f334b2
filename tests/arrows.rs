//! The arrows between the crates, as `docs/ARCHITECTURE.md` draws them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// What each crate may depend on among those of this workspace, outside of tests.
const ARROWS: [(&str, &[&str]); 7] = [
    ("polycloud-core", &[]),
    ("polycloud-local", &["polycloud-core"]),
    ("polycloud-conformance", &["polycloud-core"]),
    ("polycloud-wire", &["polycloud-core"]),
    ("polycloud-aws", &["polycloud-core", "polycloud-wire"]),
    ("polycloud", &["polycloud-aws", "polycloud-core", "polycloud-local"]),
    // What it shared with the backends, both could get wrong.
    ("polycloud-emulator", &[]),
];

/// What each crate may depend on in its tests, in addition.
const IN_TESTS: [(&str, &[&str]); 2] = [
    ("polycloud-local", &["polycloud-conformance"]),
    ("polycloud-aws", &["polycloud-conformance", "polycloud-emulator"]),
];

/// Crates that are not published, and may depend on anything.
const TOOLS: [&str; 5] = [
    "polycloud-bench",
    "polycloud-bench-compute",
    "polycloud-examples",
    "polycloud-tests",
    "xtask",
];

/// What would make the core speak to a network, or read the time and the environment of a program.
const NOT_IN_CORE: [&str; 6] = ["hyper", "reqwest", "rustls", "aws-config", "chrono", "time"];

struct Package {
    name: String,
    published: bool,
    /// Names and whether they are needed outside of tests.
    dependencies: Vec<(String, bool)>,
}

fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let package = |package: &Value| Package {
        name: text(&package["name"]),
        // `publish = false` is an empty list of registries.
        published: package["publish"].is_null(),
        dependencies: package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|dependency| (text(&dependency["name"]), dependency["kind"] != "dev"))
            .collect(),
    };
    metadata["packages"].as_array().unwrap().iter().map(package).collect()
}

fn allowed(table: &[(&str, &[&'static str])], name: &str) -> BTreeSet<&'static str> {
    table.iter().filter(|(from, _)| *from == name).flat_map(|(_, to)| to.iter().copied()).collect()
}

#[test]
fn every_dependency_follows_an_arrow() {
    let packages = packages();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    for package in &packages {
        let name = package.name.as_str();
        if TOOLS.contains(&name) {
            assert!(!package.published, "{name} is a tool and must not be published");
            continue;
        }
        assert!(ARROWS.iter().any(|(from, _)| *from == name), "draw the arrows of {name}");
        let always = allowed(&ARROWS, name);
        let in_tests = allowed(&IN_TESTS, name);
        for (to, outside_tests) in &package.dependencies {
            let to = to.as_str();
            let follows = always.contains(to) || (!outside_tests && in_tests.contains(to));
            assert!(follows || !ours.contains(to), "{name} must not depend on {to}");
        }
    }
}

#[test]
fn the_core_depends_on_nothing_that_reaches_out() {
    let packages: BTreeMap<String, Package> =
        packages().into_iter().map(|package| (package.name.clone(), package)).collect();
    let core = &packages["polycloud-core"];
    for (to, _) in &core.dependencies {
        assert!(!NOT_IN_CORE.contains(&to.as_str()), "the core must not depend on {to}");
    }
}
