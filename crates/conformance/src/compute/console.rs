//! Reading what instances write to their console.

use std::sync::{Mutex, PoisonError};

use polycloud_core::compute::{InstanceState as State, RestartMode};

use super::lab::Lab;
use crate::case::{cases, ensure, ensure_eq};

cases! {
    Compute, "console";

    /// A reading tells where it begins and where the next one goes on.
    #[needs(Console, UserData)]
    async fn positions(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run(&lab.script("a", "echo \"sum-$((40 + 2))-end\"")?).await?.id;
        lab.console_with(&id, "sum-42-end").await?;
        let all = lab.console()?.output(&id, 0).await?;
        ensure_eq!(all.next, all.start + all.data.len() as u64);
        ensure!(!all.data.is_empty(), "nothing although something was written");
        let middle = all.start + all.data.len() as u64 / 2;
        let rest = lab.console()?.output(&id, middle).await?;
        ensure_eq!(rest.start, middle);
        let expected = all.data.get(all.data.len() / 2..).unwrap_or_default();
        ensure!(rest.data.starts_with(expected), "from the middle on it is {:?}", rest.data);
        Ok(())
    }

    /// A reading behind the end is empty, and asks to go on at the end.
    #[needs(Console, UserData)]
    async fn behind_the_end(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run(&lab.script("a", "echo \"sum-$((40 + 2))-end\"")?).await?.id;
        lab.console_with(&id, "sum-42-end").await?;
        let output = lab.console()?.output(&id, 1 << 40).await?;
        ensure_eq!(output.data, "");
        ensure_eq!(output.next, output.start);
        ensure!(output.next < 1 << 40, "it would go on behind the end, at {}", output.next);
        Ok(())
    }

    /// What is written later is read from where the last reading ended, without gap or repetition.
    #[needs(Console, UserData)]
    async fn follows(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let lines = "i=0; while [ $i -lt 200 ]; do i=$((i + 1)); echo \"line-$i-\"; done; \
                     echo all-$((1 + 1))";
        let id = lab.make(&lab.script("a", lines)?).await?.id;
        let seen = Mutex::new((Vec::new(), 0));
        let look = || async {
            let from = seen.lock().unwrap_or_else(PoisonError::into_inner).1;
            let piece = lab.console()?.output(&id, from).await?;
            ensure_eq!(piece.start, from, "the start of what comes next");
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.0.extend_from_slice(&piece.data);
            seen.1 = piece.next;
            let text = String::from_utf8_lossy(&seen.0).into_owned();
            Ok(text.contains("all-2").then_some(text))
        };
        let text = lab.eventually("the script ends", look).await?;
        let lines: Vec<_> = text.lines().filter(|line| line.contains("line-")).collect();
        ensure_eq!(lines.len(), 200, "lines of the console");
        for (line, number) in lines.iter().zip(1..) {
            ensure!(line.contains(&format!("line-{number}-")), "{line} is not line {number}");
        }
        Ok(())
    }

    /// The console can be read while an instance is stopped and after it has booted again.
    #[needs(Console, StopDeallocate, RestartGraceful)]
    async fn in_other_states(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run_bare("a").await?.id;
        lab.compute.restart(&id, RestartMode::Graceful).await?;
        lab.reach(&id, State::Running).await?;
        lab.console()?.output(&id, 0).await?;
        lab.stop(&id).await?;
        let output = lab.console()?.output(&id, 0).await?;
        ensure_eq!(output.next, output.start + output.data.len() as u64);
        Ok(())
    }
}
