//! Medians, ratios, and how they are written down.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::measure::Measured;
use crate::suite::{Case, Figure, Suite, US};

/// What one client needed for one case: medians of the rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    op: &'static str,
    tasks: usize,
    client: String,
    #[serde(flatten)]
    cost: Measured,
    /// Instructions per call in user mode, where they were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<f64>,
}

impl Row {
    /// The medians, each figure's by itself.
    pub(crate) fn new(
        case: &Case,
        client: &str,
        rounds: &[Measured],
        instructions: Option<f64>,
    ) -> anyhow::Result<Self> {
        let median = |figure: fn(&Measured) -> f64| -> anyhow::Result<f64> {
            let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures.get(figures.len() / 2).copied().context("no rounds")
        };
        let cost = Measured {
            user_us: median(|it| it.user_us)?,
            sys_us: median(|it| it.sys_us)?,
            cpu_us: median(|it| it.cpu_us)?,
            wall_us: median(|it| it.wall_us)?,
            peak_mib: median(|it| it.peak_mib)?,
            calls: rounds.iter().map(|it| it.calls).sum(),
        };
        Ok(Self { op: case.op, tasks: case.tasks, client: client.into(), cost, instructions })
    }
}

/// How many times as much as polycloud a peer needs, if both took part.
pub(crate) fn ratio(case: &Case, peer: &str, figure: Figure, rows: &[Row]) -> Option<f64> {
    let (us, them) = (cost(case, US, rows)?, cost(case, peer, rows)?);
    Some(figure.of(them) / figure.of(us))
}

fn cost<'a>(case: &Case, client: &str, rows: &'a [Row]) -> Option<&'a Measured> {
    row(case, client, rows).map(|row| &row.cost)
}

fn row<'a>(case: &Case, client: &str, rows: &'a [Row]) -> Option<&'a Row> {
    rows.iter()
        .find(|row| (row.op, row.tasks, row.client.as_str()) == (case.op, case.tasks, client))
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

/// The tables of each group, in Markdown.
pub(crate) fn tables(suite: &Suite, cases: &[&Case], rows: &[Row]) -> String {
    let mut text = Vec::new();
    for group in groups(cases) {
        let cases: Vec<_> = cases.iter().filter(|case| case.group == group).copied().collect();
        text.push(ratios(suite, &cases, rows));
        if suite.costs {
            text.push(costs(suite, &cases, rows));
        }
        if rows.iter().any(|row| row.instructions.is_some()) {
            text.push(instructions(suite, &cases, rows));
        }
    }
    text.join("\n\n")
}

fn ratios(suite: &Suite, cases: &[&Case], rows: &[Row]) -> String {
    let takes_part = |peer: &&&str| cases.iter().any(|case| case.peers.contains(peer));
    let peers: Vec<&str> = suite.peers.iter().filter(takes_part).copied().collect();
    let figures = |suffix| Figure::ALL.map(|it| format!("{}{suffix}", it.name())).join(", ");
    let mut header = vec!["operation".into(), "tasks".into(), format!("{US}: {}", figures(""))];
    header.extend(peers.iter().map(|peer| format!("{peer}: {}", figures(" ×"))));
    header.push("peak MiB".into());
    let mut lines = vec![header];
    for case in cases {
        let ours = cost(case, US, rows);
        let ours = ours.map(|it| Figure::ALL.map(|figure| time(figure.of(it))).join(", "));
        let mut line = vec![case.op.into(), case.tasks.to_string(), ours.unwrap_or_else(none)];
        for peer in &peers {
            let judged = |figure| judged(case, peer, figure, rows);
            let all: Option<Vec<String>> = Figure::ALL.into_iter().map(judged).collect();
            line.push(all.map_or_else(none, |all| all.join(", ")));
        }
        line.push(peaks(case, rows));
        lines.push(line);
    }
    aligned(&lines)
}

fn none() -> String {
    "–".into()
}

/// A ratio, and whether it clears the bar.
fn judged(case: &Case, peer: &str, figure: Figure, rows: &[Row]) -> Option<String> {
    let ratio = ratio(case, peer, figure, rows)?;
    let goal = case.goal(peer, figure);
    let mark = goal.map_or("", |goal| if ratio >= goal { " ✓" } else { " ✗" });
    Some(format!("{ratio:.2}{mark}"))
}

fn peaks(case: &Case, rows: &[Row]) -> String {
    let clients = [US].into_iter().chain(case.peers.iter().copied());
    let peak = |client: &str| {
        let Some(cost) = cost(case, client, rows) else { return none() };
        let most = case.peak_mib.filter(|_| client == US);
        let mark = most.map_or("", |most| if cost.peak_mib <= most { " ✓" } else { " ✗" });
        format!("{:.0}{mark}", cost.peak_mib)
    };
    clients.map(peak).collect::<Vec<_>>().join(", ")
}

/// What each client needs for a call.
fn costs(suite: &Suite, cases: &[&Case], rows: &[Row]) -> String {
    let cell = |row: &Row| {
        let cost = &row.cost;
        format!("{} + {}, {}", time(cost.user_us), time(cost.sys_us), time(cost.wall_us))
    };
    by_client("user + system, wall", suite, cases, rows, |row| Some(cell(row)))
}

/// How many instructions a call takes, in thousands.
fn instructions(suite: &Suite, cases: &[&Case], rows: &[Row]) -> String {
    let cell = |row: &Row| row.instructions.map(|count| format!("{:.1}", count / 1e3));
    let counted = |case: &&&Case| {
        rows.iter().any(|row| (row.op, row.tasks) == (case.op, case.tasks) && cell(row).is_some())
    };
    let cases: Vec<_> = cases.iter().filter(counted).copied().collect();
    by_client("thousand instructions", suite, &cases, rows, cell)
}

fn by_client(
    what: &str,
    suite: &Suite,
    cases: &[&Case],
    rows: &[Row],
    cell: impl Fn(&Row) -> Option<String>,
) -> String {
    let clients: Vec<&str> = [US].into_iter().chain(suite.peers.iter().copied()).collect();
    let mut header = vec![format!("a call of ({what})"), "tasks".into()];
    header.extend(clients.iter().map(|&client| client.to_owned()));
    let mut lines = vec![header];
    for case in cases {
        let mut line = vec![case.op.into(), case.tasks.to_string()];
        let cells = clients.iter().map(|client| row(case, client, rows).and_then(&cell));
        line.extend(cells.map(|cell| cell.unwrap_or_else(none)));
        lines.push(line);
    }
    aligned(&lines)
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

/// Which bars are missed, one per line, and how many are cleared of those that were measured.
pub(crate) fn verdict(suite: &Suite, cases: &[&Case], rows: &[Row]) -> String {
    let (mut met, mut missed) = (0, Vec::new());
    let mut judge = |cleared: bool, case: &Case, what: String| {
        if cleared {
            met += 1;
        } else {
            missed.push(format!("missed: {} × {}: {what}\n", case.op, case.tasks));
        }
    };
    for case in cases {
        for bar in case.bars {
            if let Some(ratio) = ratio(case, bar.peer, bar.figure, rows) {
                let (took, most) = (1.0 / ratio, 1.0 / bar.factor);
                let figure = bar.figure.name();
                let what = format!("{took:.2} × the {figure} of {}, bar {most:.2}", bar.peer);
                judge(ratio >= bar.factor, case, what);
            }
        }
        if let Some((most, ours)) = case.peak_mib.zip(cost(case, US, rows)) {
            let what = format!("a peak of {:.0} MiB, bar {most:.0}", ours.peak_mib);
            judge(ours.peak_mib <= most, case, what);
        }
    }
    let (bars, name) = (met + missed.len(), suite.name);
    format!("{}bench {name}: {bars} bars, {met} met, {} missed", missed.concat(), missed.len())
}

/// What it was measured on and with.
pub(crate) fn machine(
    root: &Path,
    suite: &Suite,
    files: &Path,
    rounds: usize,
) -> anyhow::Result<String> {
    let lock = fs::read_to_string(root.join("Cargo.lock"))?;
    let version = |package: &&str| {
        let entry = format!("name = \"{package}\"\nversion = \"");
        let rest = lock.split_once(&entry).map(|(_, rest)| rest).context("not in Cargo.lock")?;
        anyhow::Ok(format!("{package} {}", rest.split('"').next().unwrap_or_default()))
    };
    let versions = suite.packages.iter().map(version).collect::<anyhow::Result<Vec<_>>>()?;
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name\t: "));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let stored = if suite.served() {
        "a server on loopback".into()
    } else {
        format!("files on {}", file_system(files)?)
    };
    Ok(format!(
        "{} cores ({}), Linux {}, {stored}; {}; medians of {rounds} rounds.",
        std::thread::available_parallelism()?,
        model.unwrap_or("unknown model"),
        kernel.trim(),
        versions.join(", "),
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
