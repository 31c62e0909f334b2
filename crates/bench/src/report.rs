//! Medians, ratios, and how they are written down.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::measure::Measured;
use crate::suite::{Case, Suite, US};

/// What one client needed for one case: medians of the rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    op: &'static str,
    tasks: usize,
    client: String,
    #[serde(flatten)]
    cost: Measured,
}

impl Row {
    /// The medians, each figure's by itself.
    pub(crate) fn new(case: &Case, client: &str, rounds: &[Measured]) -> anyhow::Result<Self> {
        let median = |figure: fn(&Measured) -> f64| -> anyhow::Result<f64> {
            let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures.get(figures.len() / 2).copied().context("no rounds")
        };
        let cost = Measured {
            user_us: median(|it| it.user_us)?,
            cpu_us: median(|it| it.cpu_us)?,
            wall_us: median(|it| it.wall_us)?,
            peak_mib: median(|it| it.peak_mib)?,
            calls: rounds.iter().map(|it| it.calls).sum(),
        };
        Ok(Self { op: case.op, tasks: case.tasks, client: client.into(), cost })
    }
}

/// How many times as much as polycloud a peer needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ratio {
    /// In processor time.
    pub(crate) cpu: f64,
    /// In elapsed time.
    pub(crate) wall: f64,
}

/// The ratio of a peer, if it took part.
pub(crate) fn ratio(case: &Case, peer: &str, rows: &[Row]) -> anyhow::Result<Option<Ratio>> {
    if !case.peers.contains(&peer) {
        return Ok(None);
    }
    let (us, them) = (cost(case, US, rows)?, cost(case, peer, rows)?);
    Ok(Some(Ratio { cpu: them.cpu_us / us.cpu_us, wall: them.wall_us / us.wall_us }))
}

fn cost<'a>(case: &Case, client: &str, rows: &'a [Row]) -> anyhow::Result<&'a Measured> {
    let of = |row: &&Row| (row.op, row.tasks, row.client.as_str()) == (case.op, case.tasks, client);
    rows.iter().find(of).map(|row| &row.cost).with_context(|| format!("no {client} in {}", case.op))
}

/// The names of the groups, in order.
pub(crate) fn groups(cases: &[&Case]) -> Vec<&'static str> {
    let mut groups: Vec<_> = cases.iter().map(|case| case.group).collect();
    groups.dedup();
    groups
}

/// The report file.
pub(crate) fn json(rows: &[Row]) -> anyhow::Result<String> {
    #[derive(Serialize)]
    struct Report<'a> {
        rows: &'a [Row],
    }
    Ok(serde_json::to_string_pretty(&Report { rows })? + "\n")
}

/// One table per group, in Markdown.
pub(crate) fn tables(suite: &Suite, cases: &[&Case], rows: &[Row]) -> anyhow::Result<String> {
    let mut text = Vec::new();
    for group in groups(cases) {
        let cases: Vec<_> = cases.iter().filter(|case| case.group == group).copied().collect();
        text.push(table(suite, &cases, rows)?);
    }
    Ok(text.join("\n\n"))
}

fn table(suite: &Suite, cases: &[&Case], rows: &[Row]) -> anyhow::Result<String> {
    let takes_part = |peer: &&&str| cases.iter().any(|case| case.peers.contains(peer));
    let peers: Vec<&str> = suite.peers.iter().filter(takes_part).copied().collect();
    let mut header = vec!["operation".into(), "tasks".into(), format!("{US}: CPU, wall")];
    header.extend(peers.iter().map(|peer| format!("{peer}: CPU ×, wall ×")));
    header.push("peak MiB".into());
    let mut lines = vec![header];
    for case in cases {
        let ours = cost(case, US, rows)?;
        let times = format!("{}, {}", time(ours.cpu_us), time(ours.wall_us));
        let mut line = vec![case.op.into(), case.tasks.to_string(), times];
        for peer in &peers {
            line.push(match ratio(case, peer, rows)? {
                Some(ratio) => {
                    let goal = case.goal(peer);
                    format!("{}, {}", judged(ratio.cpu, goal), judged(ratio.wall, goal))
                }
                None => "–".into(),
            });
        }
        line.push(peaks(case, rows)?);
        lines.push(line);
    }
    Ok(aligned(&lines))
}

/// A ratio, and whether it clears the bar.
fn judged(ratio: f64, goal: Option<f64>) -> String {
    let mark = goal.map_or("", |goal| if ratio >= goal { " ✓" } else { " ✗" });
    format!("{ratio:.2}{mark}")
}

fn peaks(case: &Case, rows: &[Row]) -> anyhow::Result<String> {
    let ours = cost(case, US, rows)?.peak_mib;
    let mark = case.peak_mib.map_or("", |most| if ours <= most { " ✓" } else { " ✗" });
    let mut text = format!("{ours:.0}{mark}");
    for peer in case.peers {
        text += &format!(", {:.0}", cost(case, peer, rows)?.peak_mib);
    }
    Ok(text)
}

fn time(us: f64) -> String {
    match us {
        us if us >= 1e6 => format!("{:.2} s", us / 1e6),
        us if us >= 1e3 => format!("{:.2} ms", us / 1e3),
        us => format!("{us:.2} µs"),
    }
}

fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let widths = lines.iter().filter_map(|line| line.get(column)).map(|it| it.chars().count());
        widths.max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let written = |line: &Vec<String>| {
        let cells = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
    };
    let (header, body) = lines.split_at(lines.len().min(1));
    let all = header.iter().chain([&rule]).chain(body).map(written);
    all.collect::<Vec<_>>().join("\n")
}

/// How many bars are cleared. Each ratio has one for CPU and one for wall time.
pub(crate) fn verdict(suite: &Suite, cases: &[&Case], rows: &[Row]) -> anyhow::Result<String> {
    let mut cleared = Vec::new();
    for case in cases {
        for bar in case.bars {
            if let Some(ratio) = ratio(case, bar.peer, rows)? {
                cleared.extend([ratio.cpu >= bar.factor, ratio.wall >= bar.factor]);
            }
        }
        if let Some(most) = case.peak_mib {
            cleared.push(cost(case, US, rows)?.peak_mib <= most);
        }
    }
    let met = cleared.iter().filter(|it| **it).count();
    let missed = cleared.len() - met;
    Ok(format!("bench {}: {} bars, {met} met, {missed} missed", suite.name, cleared.len()))
}

/// What it was measured on and with.
pub(crate) fn machine(root: &Path, files: &Path, rounds: usize) -> anyhow::Result<String> {
    let lock = fs::read_to_string(root.join("Cargo.lock"))?;
    let version = |package: &str| {
        let entry = format!("name = \"{package}\"\nversion = \"");
        let rest = lock.split_once(&entry).map(|(_, rest)| rest).context("not in Cargo.lock")?;
        anyhow::Ok(rest.split('"').next().unwrap_or_default().to_owned())
    };
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name\t: "));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(format!(
        "{} cores ({}), Linux {}, files on {}; object_store {}, OpenDAL {}; medians of {rounds} rounds.",
        std::thread::available_parallelism()?,
        model.unwrap_or("unknown model"),
        kernel.trim(),
        file_system(files)?,
        version("object_store")?,
        version("opendal")?,
    ))
}

/// The type of the file system that holds a directory.
fn file_system(dir: &Path) -> anyhow::Result<String> {
    let dir = std::path::absolute(dir)?;
    let mounts = fs::read_to_string("/proc/mounts")?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let holding = mounts.filter(|(at, _)| dir.starts_with(at));
    let (_, kind) = holding.max_by_key(|(at, _)| at.len()).context("no such mount")?;
    Ok(kind.into())
}

/// Replaces what stands between the suite's markers in a document.
pub(crate) fn publish(document: &Path, suite: &str, generated: &str) -> anyhow::Result<()> {
    let (begin, end) =
        (format!("<!-- bench {suite}: begin -->"), format!("<!-- bench {suite}: end -->"));
    let text = fs::read_to_string(document)?;
    let (before, rest) = text.split_once(&begin).with_context(|| format!("no {begin}"))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("no {end}"))?;
    fs::write(document, format!("{before}{begin}\n{generated}\n{end}{after}"))?;
    Ok(())
}
