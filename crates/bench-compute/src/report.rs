//! Medians, ratios, and how they are written down.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::Serialize;

use crate::case::Case;
use crate::client::Who;
use crate::measure::Measured;

/// What one client needed for one case in one round.
#[derive(Debug, Serialize)]
pub(crate) struct Sample {
    pub(crate) case: &'static str,
    pub(crate) client: &'static str,
    pub(crate) requests: u64,
    #[serde(flatten)]
    pub(crate) cost: Measured,
}

/// The report file.
pub(crate) fn json(samples: &[Sample]) -> anyhow::Result<String> {
    #[derive(Serialize)]
    struct Report<'a> {
        samples: &'a [Sample],
    }
    Ok(serde_json::to_string_pretty(&Report { samples })? + "\n")
}

/// The table of all cases, in Markdown.
pub(crate) fn table(cases: &[Case], samples: &[Sample]) -> anyhow::Result<String> {
    let header = [
        "operation",
        "requests: polycloud, aws-sdk-ec2",
        "CPU: polycloud, aws-sdk-ec2",
        "CPU ×",
        "wall: polycloud, aws-sdk-ec2",
        "wall ×",
        "peak MiB",
    ];
    let mut lines = vec![header.map(str::to_owned).to_vec()];
    for case in cases {
        lines.push(line(*case, samples)?);
    }
    Ok(aligned(&lines))
}

fn line(case: Case, samples: &[Sample]) -> anyhow::Result<Vec<String>> {
    let both = |figure: fn(&Sample) -> f64| -> anyhow::Result<(f64, f64)> {
        let of = |who| median(case, who, samples, figure);
        Ok((of(Who::Polycloud)?, of(Who::Sdk)?))
    };
    #[allow(clippy::cast_precision_loss, reason = "there are not that many requests")]
    let requests = both(|it| it.requests as f64)?;
    let (cpu, wall) = (both(|it| it.cost.cpu_us)?, both(|it| it.cost.wall_us)?);
    let peak = both(|it| it.cost.peak_mib)?;
    Ok(vec![
        case.title(),
        format!("{:.0}, {:.0}", requests.0, requests.1),
        format!("{}, {}", time(cpu.0), time(cpu.1)),
        format!("{:.2}", cpu.1 / cpu.0),
        format!("{}, {}", time(wall.0), time(wall.1)),
        format!("{:.2}", wall.1 / wall.0),
        format!("{:.0}, {:.0}", peak.0, peak.1),
    ])
}

fn median(
    case: Case,
    who: Who,
    samples: &[Sample],
    figure: fn(&Sample) -> f64,
) -> anyhow::Result<f64> {
    let own = samples.iter().filter(|it| (it.case, it.client) == (case.name(), who.name()));
    let mut figures: Vec<f64> = own.map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().context("no rounds")
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
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let written = |line: &Vec<String>| {
        let cells = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
    };
    let (header, body) = lines.split_at(lines.len().min(1));
    header.iter().chain([&rule]).chain(body).map(written).collect::<Vec<_>>().join("\n")
}

/// What it was measured on and with.
pub(crate) fn machine(root: &Path, rounds: usize) -> anyhow::Result<String> {
    let lock = fs::read_to_string(root.join("Cargo.lock"))?;
    let (_, rest) = lock
        .split_once("name = \"aws-sdk-ec2\"\nversion = \"")
        .context("aws-sdk-ec2 is not in Cargo.lock")?;
    let version = rest.split('"').next().unwrap_or_default();
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name\t: "));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(format!(
        "{} cores ({}), Linux {}, the emulator on loopback; aws-sdk-ec2 {version}; medians of {rounds} \
         rounds.",
        std::thread::available_parallelism()?,
        model.unwrap_or("unknown model"),
        kernel.trim(),
    ))
}

/// Replaces what stands between the markers in a document.
pub(crate) fn publish(document: &Path, generated: &str) -> anyhow::Result<()> {
    const BEGIN: &str = "<!-- bench compute: begin -->";
    const END: &str = "<!-- bench compute: end -->";
    let text = fs::read_to_string(document)?;
    let (before, rest) = text.split_once(BEGIN).with_context(|| format!("no {BEGIN}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("no {END}"))?;
    ensure!(!after.contains(BEGIN), "{BEGIN} is there more than once");
    fs::write(document, format!("{before}{BEGIN}\n{generated}\n{END}{after}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(who: Who, requests: u64, cpu_us: f64) -> Sample {
        let cost = Measured {
            user_us: cpu_us,
            sys_us: 0.0,
            cpu_us,
            wall_us: 2.0 * cpu_us,
            peak_mib: 10.0,
            calls: 1,
        };
        Sample { case: Case::List.name(), client: who.name(), requests, cost }
    }

    #[test]
    fn medians_make_ratios() {
        let mut samples: Vec<_> =
            [30.0, 10.0, 20.0].map(|cpu| sample(Who::Polycloud, 10, cpu)).into();
        samples.extend([60.0, 50.0, 40.0].map(|cpu| sample(Who::Sdk, 11, cpu)));
        let table = table(&[Case::List], &samples).unwrap();
        let cells: Vec<_> = table.lines().last().unwrap().split('|').map(str::trim).collect();
        assert_eq!(cells[2..5], ["10, 11", "20.00 µs, 50.00 µs", "2.50"]);
        assert!(super::table(&[Case::Wait], &samples).is_err());
    }
}
