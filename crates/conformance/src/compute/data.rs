//! What instances run when they boot.

use polycloud_core::ErrorKind;
use polycloud_core::compute::{CreateOptions, InstanceState as State, RestartMode, UserData};

use super::lab::Lab;
use crate::case::{cases, ensure};
use crate::expect::expect_kind;

cases! {
    Compute, "data";

    /// A script runs when the instance boots.
    #[needs(UserData, Console)]
    async fn script_runs(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        // What the shell computes cannot come from the script's own text.
        let id = lab.run(&lab.script("a", "echo \"sum-$((40 + 2))-end\"")?).await?.id;
        lab.console_with(&id, "sum-42-end").await?;
        Ok(())
    }

    /// A script arrives byte for byte.
    #[needs(UserData, Console)]
    async fn script_is_not_changed(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let commands = "set -- $(cksum <\"$0\"); echo \"sum-$1-$2-end\"; echo \"all-$((1 + 1))\"\n\
                        # ${HOME} $$ `x` \"'\\\\ %s &amp; <b> {{ x }} \t ä€🦀  \n\n#";
        let spec = lab.script("a", commands)?;
        let data = spec.user_data.as_ref().map(UserData::as_bytes).unwrap_or_default();
        let sum = format!("sum-{}-{}-end", posix_cksum(data), data.len());
        let id = lab.run(&spec).await?.id;
        let console = lab.console_with(&id, "all-2").await?;
        ensure!(console.contains(&sum), "it should be {sum}: {console:?}");
        Ok(())
    }

    /// An instance goes on running after its script has ended, and also if that failed.
    #[needs(UserData, Console)]
    async fn failed_script(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run(&lab.script("a", "echo \"sum-$((40 + 2))-end\"; exit 3")?).await?.id;
        lab.console_with(&id, "sum-42-end").await?;
        lab.compute.start(&id).await?;
        lab.reach(&id, State::Running).await?;
        Ok(())
    }

    /// A script runs at the first boot only.
    #[needs(UserData, Console, StopDeallocate, RestartGraceful)]
    async fn script_runs_once(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run(&lab.script("a", "echo \"sum-$((40 + 2))-end\"")?).await?.id;
        lab.console_with(&id, "sum-42-end").await?;
        lab.stop(&id).await?;
        lab.compute.start(&id).await?;
        lab.reach(&id, State::Running).await?;
        lab.compute.restart(&id, RestartMode::Graceful).await?;
        lab.reach(&id, State::Running).await?;
        lab.stop(&id).await?;
        let console = lab.console_text(&id).await?;
        ensure!(console.matches("sum-42-end").count() <= 1, "it ran again: {console:?}");
        Ok(())
    }

    /// User data often holds secrets: neither errors nor descriptions show it.
    #[needs(UserData)]
    async fn secrets_are_not_shown(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let secret = context.unique("secret");
        let spec = lab.script("a", &format!("TOKEN={secret}"))?;
        let made = lab.make(&spec).await?;
        let again = lab.create(&spec, &CreateOptions::default()).await;
        let error = expect_kind(again, ErrorKind::AlreadyExists)?;
        let read = lab.compute.get(&made.id).await?;
        let all = format!("{spec:?} {made:?} {read:?} {:?} {error} {error:?}", lab.compute);
        ensure!(!all.contains(&secret), "the secret is shown");
        Ok(())
    }
}

/// The checksum that the program `cksum` prints.
fn posix_cksum(data: &[u8]) -> u32 {
    let length = data.len().to_le_bytes();
    let used = length.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let sum = data.iter().chain(length.iter().take(used)).fold(0_u32, |crc, byte| {
        (0..8).fold(crc ^ (u32::from(*byte) << 24), |crc, _| {
            if crc & 0x8000_0000 == 0 { crc << 1 } else { (crc << 1) ^ 0x04c1_1db7 }
        })
    });
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_cksum() {
        assert_eq!(posix_cksum(b""), 4_294_967_295);
        assert_eq!(posix_cksum(b"123456789"), 930_766_865);
        assert_eq!(posix_cksum(&[b'x'; 300]), 3_786_917_833);
    }
}
