//! What became of the checks, and whether the deviations that are listed still are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::NotRun;
use super::deviations::Deviation;

/// What became of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    /// It is declared as unsupported, and refused.
    Unsupported,
    Failed(String),
}

#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
}

impl Check {
    pub(crate) fn new(name: impl Into<String>, verdict: Verdict) -> Self {
        Self { name: name.into(), verdict }
    }
}

/// One client against the emulator, or our client against one server.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) outcome: Result<Vec<Check>, NotRun>,
    pub(crate) elapsed: Duration,
}

/// A part, measured by the list of deviations.
#[derive(Debug, Default)]
struct Judged {
    checks: usize,
    passed: usize,
    unsupported: Vec<String>,
    /// Names of checks that fail as listed, with the reason.
    deviations: Vec<(String, &'static str)>,
    /// Names of checks with what is wrong.
    failures: Vec<(String, String)>,
}

/// All parts that were chosen.
#[derive(Debug)]
pub(crate) struct Report {
    listed: &'static [Deviation],
    /// Whether all checks of a part were chosen.
    whole: bool,
    parts: Vec<(Part, Judged)>,
}

impl Report {
    pub(crate) fn new(listed: &'static [Deviation], whole: bool) -> Self {
        Self { listed, whole, parts: Vec::new() }
    }

    pub(crate) fn add(&mut self, part: Part) {
        let judged = match &part.outcome {
            Ok(checks) => judge(part.name, checks, self.listed, self.whole),
            Err(_) => Judged::default(),
        };
        self.parts.push((part, judged));
    }

    pub(crate) fn failures(&self) -> usize {
        self.parts.iter().map(|(_, judged)| judged.failures.len()).sum()
    }

    pub(crate) fn not_run(&self) -> usize {
        self.parts.iter().filter(|(part, _)| part.outcome.is_err()).count()
    }

    /// Whether there was a check, or nothing was left to choose.
    pub(crate) fn ran_checks(&self) -> bool {
        self.whole || self.parts.iter().any(|(_, judged)| judged.checks > 0)
    }
}

fn judge(part: &str, checks: &[Check], listed: &[Deviation], whole: bool) -> Judged {
    let of_part = || listed.iter().filter(|deviation| deviation.part == part);
    let find = |name: &str| of_part().find(|deviation| deviation.checks.contains(&name));
    let mut judged = Judged { checks: checks.len(), ..Judged::default() };
    for Check { name, verdict } in checks {
        let name = name.clone();
        match (verdict, find(&name)) {
            (Verdict::Passed, None | Some(Deviation { always: false, .. })) => judged.passed += 1,
            (Verdict::Unsupported, None) => judged.unsupported.push(name),
            (Verdict::Failed(_), Some(listed)) => judged.deviations.push((name, listed.reason)),
            (Verdict::Failed(why), None) => judged.failures.push((name, why.clone())),
            (Verdict::Passed | Verdict::Unsupported, Some(_)) => {
                judged.failures.push((name, "is listed as a deviation, and is none".into()));
            }
        }
    }
    if whole {
        let run: BTreeSet<&str> = checks.iter().map(|check| check.name.as_str()).collect();
        for name in of_part().flat_map(|deviation| deviation.checks) {
            if !run.contains(name) {
                let why = "is listed as a deviation, and does not exist";
                judged.failures.push(((*name).to_owned(), why.into()));
            }
        }
    }
    judged
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.parts.iter().map(|(part, _)| part.name.len()).max().unwrap_or(0).max(5);
        writeln!(
            f,
            "{:width$}  {:>6}  {:>6}  {:>10}  {:>11}  {:>6}  {:>7}",
            "part", "checks", "passed", "deviations", "unsupported", "failed", "seconds"
        )?;
        for (part, judged) in &self.parts {
            write!(f, "{:width$}  ", part.name)?;
            match &part.outcome {
                Err(why) => writeln!(f, "not run: {why}")?,
                Ok(_) => writeln!(
                    f,
                    "{:>6}  {:>6}  {:>10}  {:>11}  {:>6}  {:>7.1}",
                    judged.checks,
                    judged.passed,
                    judged.deviations.len(),
                    judged.unsupported.len(),
                    judged.failures.len(),
                    part.elapsed.as_secs_f64(),
                )?,
            }
        }
        self.write_details(f)?;
        self.write_counts(f)
    }
}

impl Report {
    fn write_details(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (part, judged) in &self.parts {
            let mut reasons = BTreeMap::<_, Vec<_>>::new();
            for (name, reason) in &judged.deviations {
                reasons.entry(reason).or_default().push(name.as_str());
            }
            for (reason, names) in reasons {
                writeln!(f, "deviation of {}: {reason}\n    {}", part.name, names.join(", "))?;
            }
            if !judged.unsupported.is_empty() {
                writeln!(f, "unsupported by {}: {}", part.name, judged.unsupported.join(", "))?;
            }
        }
        for (part, judged) in &self.parts {
            for (name, why) in &judged.failures {
                writeln!(f, "FAILED {} {name}: {why}", part.name)?;
            }
        }
        Ok(())
    }

    fn write_counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |count: fn(&Judged) -> usize| -> usize {
            self.parts.iter().map(|(_, judged)| count(judged)).sum()
        };
        write!(
            f,
            "crosscheck: {} checks, {} passed, {} deviations, {} unsupported, {} failed, {} parts not run",
            sum(|judged| judged.checks),
            sum(|judged| judged.passed),
            sum(|judged| judged.deviations.len()),
            sum(|judged| judged.unsupported.len()),
            self.failures(),
            self.not_run(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn listed(part: &'static str, reason: &'static str, always: bool) -> Deviation {
        let checks = if always { &["one", "two"] } else { &["race"] as &[&str] };
        Deviation { part, reason, always, checks }
    }

    const LISTED: &[Deviation] = &[
        listed("servers/a", "It forgets.", true),
        listed("servers/b", "It is slow.", true),
        listed("servers/b", "It is quick.", false),
    ];

    fn check(name: &str, verdict: Verdict) -> Check {
        Check::new(name, verdict)
    }

    fn failed() -> Verdict {
        Verdict::Failed("why".into())
    }

    fn names<T>(entries: &[(String, T)]) -> Vec<&str> {
        entries.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn what_fails_as_listed_is_a_deviation_and_what_fails_else_is_a_failure() {
        let checks = [check("one", failed()), check("two", failed()), check("three", failed())];
        let judged = judge("servers/a", &checks, LISTED, true);
        assert_eq!(names(&judged.deviations), ["one", "two"]);
        assert_eq!(judged.failures, [("three".to_owned(), "why".to_owned())]);
    }

    #[test]
    fn deviations_are_those_of_one_part() {
        let checks = [check("race", failed())];
        assert_eq!(names(&judge("servers/a", &checks, LISTED, false).failures), ["race"]);
        assert_eq!(names(&judge("servers/b", &checks, LISTED, false).deviations), ["race"]);
    }

    #[test]
    fn what_fails_in_some_runs_may_pass() {
        let judged = judge("servers/b", &[check("race", Verdict::Passed)], LISTED, false);
        assert_eq!((judged.passed, judged.failures.len()), (1, 0));
        let judged = judge("servers/b", &[check("race", Verdict::Unsupported)], LISTED, false);
        assert_eq!(names(&judged.failures), ["race"]);
    }

    #[test]
    fn deviations_that_are_none_are_failures() {
        let checks = [check("one", Verdict::Passed), check("two", Verdict::Unsupported)];
        let judged = judge("servers/a", &checks, LISTED, true);
        assert_eq!(names(&judged.failures), ["one", "two"]);
        assert_eq!((judged.passed, judged.unsupported.len()), (0, 0));
    }

    #[test]
    fn deviations_that_do_not_exist_are_failures_if_everything_was_run() {
        let checks = [check("one", failed())];
        assert_eq!(names(&judge("servers/a", &checks, LISTED, true).failures), ["two"]);
        assert!(judge("servers/a", &checks, LISTED, false).failures.is_empty());
    }

    #[test]
    fn the_last_line_counts() {
        let mut report = Report::new(LISTED, false);
        let checks = vec![
            check("one", failed()),
            check("three", Verdict::Passed),
            check("four", Verdict::Unsupported),
            check("five", failed()),
        ];
        let elapsed = Duration::from_secs(1);
        report.add(Part { name: "servers/a", outcome: Ok(checks), elapsed });
        report.add(Part { name: "servers/c", outcome: Err("no network".into()), elapsed });
        let text = report.to_string();
        let last = "crosscheck: 4 checks, 1 passed, 1 deviations, 1 unsupported, 1 failed, 1 parts not run";
        assert_eq!(text.lines().last(), Some(last));
        assert!(text.contains("deviation of servers/a: It forgets.\n    one\n"), "{text}");
        assert!(text.contains("FAILED servers/a five: why\n"), "{text}");
        assert!(text.contains("servers/c  not run: no network\n"), "{text}");
    }
}
