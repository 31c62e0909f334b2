//! One instance.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::process::Command;
use std::time::SystemTime;

use polycloud_core::Result;
use polycloud_core::compute::{
    Count, CreateOptions, Instance, InstanceId, InstanceName, InstanceSpec, InstanceState as State,
    InstanceStatus, Labels, Market, RestartMode, StopMode,
};

use super::{Flaw, PROVIDER, REGION, invalid_state};

/// Names and contents of files.
pub(super) type Disk = BTreeMap<String, Vec<u8>>;

/// How often an instance is seen in a transitional state.
const LOOKS: u32 = 2;

/// What a create asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) spec: InstanceSpec,
    pub(super) options: CreateOptions,
    pub(super) count: Count,
}

pub(super) struct Machine {
    pub(super) number: u32,
    pub(super) request: Request,
    /// Its number among those of one create.
    pub(super) index: u32,
    pub(super) name: InstanceName,
    pub(super) instance_type: String,
    pub(super) image: String,
    pub(super) zone: String,
    pub(super) labels: Labels,
    pub(super) created: SystemTime,
    pub(super) state: State,
    pub(super) looks: u32,
    pub(super) billed: bool,
    pub(super) private: IpAddr,
    pub(super) public: Option<IpAddr>,
    pub(super) boots: u32,
    pub(super) console: Vec<u8>,
    pub(super) disk: Disk,
    /// How far a script has counted that counts for ever.
    pub(super) ticks: Option<u32>,
    pub(super) flaw: Option<Flaw>,
}

impl Machine {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    pub(super) fn lives(&self) -> bool {
        !matches!(self.state, State::Terminating | State::Terminated)
    }

    pub(super) fn id(&self) -> Result<InstanceId> {
        InstanceId::new(PROVIDER, REGION, format!("vm-{:08x}", self.number))
    }

    pub(super) fn instance(&self) -> Result<Instance> {
        let shown = match self.state {
            State::Stopping if self.has(Flaw::ShowsWrongState) => State::Terminating,
            state => state,
        };
        let status = InstanceStatus::new(shown, format!("FAKE/{shown}"));
        let mut instance = Instance::new(
            self.id()?,
            self.name.clone(),
            status.with_compute_billed(self.billed),
            self.instance_type.as_str(),
        );
        instance.image = Some(self.image.clone());
        instance.zone = Some(self.zone.clone());
        instance.labels = self.labels.clone();
        instance.owner = self.request.options.owner.clone();
        instance.spot = self.request.spec.market != Market::OnDemand;
        instance.created = Some(self.created);
        instance.private_ips = vec![self.private];
        instance.public_ips = self.public.into_iter().collect();
        Ok(instance)
    }

    fn enter(&mut self, state: State) {
        (self.state, self.looks) = (state, LOOKS);
    }

    /// Gets on with what it is about to do.
    pub(super) fn look(&mut self) {
        if self.looks > 0 {
            self.looks -= 1;
            return;
        }
        match self.state {
            State::Pending => {
                self.state = State::Running;
                if self.ticks.is_none() || self.has(Flaw::SuspendForgetsMemory) {
                    self.boot();
                }
            }
            State::Stopping => self.state = State::Stopped,
            State::Suspending => self.state = State::Suspended,
            State::Terminating => self.state = State::Terminated,
            _ => {}
        }
    }

    fn boot(&mut self) {
        self.boots += 1;
        self.billed = true;
        self.console.extend_from_slice(format!("boot {}\n", self.boots).as_bytes());
        let Some(data) = &self.request.spec.user_data else { return };
        let again = self.has(Flaw::RunsScriptAtEachBoot) || self.has(Flaw::SuspendForgetsMemory);
        if self.boots > 1 && !again {
            return;
        }
        let script = match data.as_bytes() {
            data if self.has(Flaw::TrimsUserData) => data.trim_ascii_end(),
            data => data,
        };
        if String::from_utf8_lossy(script).contains("while :;") {
            self.ticks = Some(0);
        } else {
            self.console.extend(run(script, &mut self.disk));
        }
    }

    pub(super) fn start(&mut self) -> Result<()> {
        match self.state {
            State::Running if self.has(Flaw::StartOfRunningFails) => Err(invalid_state()),
            State::Running | State::Pending => Ok(()),
            State::Stopped | State::Suspended => {
                self.enter(State::Pending);
                Ok(())
            }
            _ => Err(invalid_state()),
        }
    }

    pub(super) fn stop(&mut self, mode: StopMode) -> Result<()> {
        match (self.state, mode) {
            (State::Running, StopMode::Suspend) => self.enter(State::Suspending),
            (State::Running, _) => {
                self.enter(State::Stopping);
                self.ticks = None;
            }
            (State::Suspending, StopMode::Suspend) | (State::Stopping | State::Stopped, _) => {
                return Ok(());
            }
            (State::Suspended, _) if self.has(Flaw::StopsWhatIsSuspended) => {
                self.enter(State::Stopping);
            }
            _ => return Err(invalid_state()),
        }
        self.billed = mode == StopMode::KeepAllocated || self.has(Flaw::BillsWhatIsDeallocated);
        Ok(())
    }

    pub(super) fn restart(&mut self, _mode: RestartMode) -> Result<()> {
        match self.state {
            State::Running => {}
            State::Stopped if self.has(Flaw::RestartsWhatIsStopped) => {}
            _ => return Err(invalid_state()),
        }
        if self.has(Flaw::ChangesAddressAtRestart) {
            self.private = IpAddr::from([10, 255, 0, 1]);
        }
        self.ticks = None;
        self.enter(State::Pending);
        Ok(())
    }

    pub(super) fn terminate(&mut self) {
        if self.lives() {
            self.enter(State::Terminating);
        }
    }

    /// What it has written so far. Who counts gets on each time that somebody reads from the beginning.
    pub(super) fn read_console(&mut self, from: u64) -> Vec<u8> {
        if let (State::Running, Some(ticks), 0) = (self.state, &mut self.ticks, from) {
            *ticks += 1;
            self.console.extend_from_slice(format!("tick-{ticks}-\n").as_bytes());
        }
        self.console.clone()
    }
}

/// Runs a script to its end, and returns its output.
fn run(script: &[u8], disk: &mut Disk) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let (file, work) = (dir.path().join("script"), dir.path().join("disk"));
    std::fs::create_dir(&work).unwrap();
    std::fs::write(&file, script).unwrap();
    for (name, content) in disk.iter() {
        std::fs::write(work.join(name), content).unwrap();
    }
    let output = Command::new("sh").arg(&file).current_dir(&work).output().unwrap();
    for entry in std::fs::read_dir(&work).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        disk.insert(name, std::fs::read(entry.path()).unwrap());
    }
    output.stdout
}
