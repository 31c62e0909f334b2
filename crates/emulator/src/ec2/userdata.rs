//! User data that runs: the scripts of instances as processes of this machine.

#[cfg(unix)]
mod disks;
#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod power;
mod scripts;
#[cfg(unix)]
mod unix;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[cfg(not(unix))]
use self::elsewhere::Runner;
#[cfg(unix)]
use self::unix::Runner;
use super::state::Region;
use crate::server::Core;

/// What the console of an instance keeps.
const CONSOLE_BYTES: usize = 64 << 10;

/// How often instances are looked after that nobody asks about.
const TICK: Duration = Duration::from_millis(100);

/// What an instance wrote, the latest of it. All clones are one.
#[derive(Clone, Default)]
pub(crate) struct Console(Arc<Mutex<VecDeque<u8>>>);

impl Console {
    /// Adds output; the oldest is dropped.
    pub(crate) fn write(&self, output: &[u8]) {
        let mut kept = self.lock();
        kept.extend(output);
        let excess = kept.len().saturating_sub(CONSOLE_BYTES);
        kept.drain(..excess);
    }

    /// What is kept.
    pub(crate) fn read(&self) -> Vec<u8> {
        self.lock().iter().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Console").field(&self.lock().len()).finish()
    }
}

/// What is to happen to the processes of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It runs for the first time.
    FirstBoot(String),
    /// It does not run any more.
    End(String),
    /// It is terminated, or an image is deregistered: what was on its disk is gone.
    Gone(String),
    /// An image was made of an instance.
    Imaged { instance: String, image: String },
}

/// The processes of all instances.
#[derive(Debug)]
pub(crate) struct Processes(Option<Runner>);

impl Processes {
    /// Without `enabled` nothing is run.
    pub(crate) fn new(enabled: bool) -> Self {
        Self(enabled.then(Runner::default))
    }

    /// The instances that have switched themselves off since this was last asked.
    pub(crate) fn take_off(&self) -> Vec<String> {
        self.0.as_ref().map(Runner::take_off).unwrap_or_default()
    }

    /// Starts and ends what the changes of a region ask for.
    pub(crate) fn follow(&self, region: &mut Region) {
        for effect in std::mem::take(&mut region.effects) {
            let Some(runner) = &self.0 else { continue };
            match effect {
                Effect::FirstBoot(id) => {
                    let Some(instance) = region.instances.get(&id) else { continue };
                    let scripts = instance.user_data.as_ref().map(|data| scripts::of(data.bytes()));
                    if let Some(scripts) = scripts.filter(|scripts| !scripts.is_empty()) {
                        runner.run(&id, &instance.image, scripts, &instance.console);
                    }
                }
                Effect::End(id) => runner.kill(&id),
                Effect::Gone(id) => runner.forget(&id),
                Effect::Imaged { instance, image } => {
                    if let Some(known) = region.instances.get(&instance) {
                        runner.keep(&instance, &image, &known.console);
                    }
                }
            }
        }
    }

    /// Ends all processes, and returns once they have ended.
    pub(crate) fn kill_all(&self) {
        if let Some(runner) = &self.0 {
            runner.kill_all();
        }
    }

    /// Does so, and starts none any more.
    pub(crate) fn close(&self) {
        if let Some(runner) = &self.0 {
            runner.close();
        }
    }
}

/// What starts processes although nobody asks about their instances: needed with the clock of the machine,
/// which moves by itself.
pub(crate) fn settle_by_itself(
    core: &Arc<Core>,
) -> Option<impl Future<Output = ()> + Send + 'static> {
    core.ec2.processes.0.as_ref()?;
    if !core.clock.is_system() {
        return None;
    }
    let core = Arc::clone(core);
    Some(async move {
        let mut ticks = tokio::time::interval(TICK);
        loop {
            ticks.tick().await;
            core.ec2.settle(core.clock.now());
        }
    })
}
